import type {Log} from '../log.ts';
import {userPass} from '../user-pass.ts';
import {Refusal} from './error.ts';
import {type Given, trimLineEnd} from './given.ts';
import {inputRow} from './table.ts';

/** The most characters of a password; longer ones no registry takes in a header. */
const longestPassword = 16_384;

/** Shorter pieces are not masked by themselves: they would blot out half the log. */
const shortestPiece = 4;

/** Inputs into which people paste addresses with a login in them. */
const mayHoldLogin = /-(?:registry|registries|repository|url)$/;

// eslint-disable-next-line no-control-regex -- control characters are what this is about
const control = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * Tells the log every secret in what was given, before anything else is done with it: passwords as
 * they are, without their line end and line by line, in the form in which Basic authentication sends
 * them, and whatever stands before an `@` elsewhere.
 */
export function maskSecrets(given: Given, log: Log): void {
  for (const secret of secretsIn(given)) log.secret(secret);
}

/** Every secret in what was given, longest first; see `maskSecrets`. */
export function secretsIn(given: Given): readonly string[] {
  const found = new Set<string>();
  const add = (secret: string) => {
    if (secret.length >= shortestPiece) found.add(secret);
  };
  for (const [name, {value}] of given) {
    if (inputRow(name).form === 'secret') {
      // However short, the password itself is always masked.
      for (const whole of [value, trimLineEnd(value)]) if (whole !== '') found.add(whole);
      value.split(/[\r\n]+/).forEach(add);
    } else if (name.endsWith('-username')) {
      embedded(value.trim()).forEach(add);
    } else if (mayHoldLogin.test(name)) {
      for (const word of value.split(/\s/)) {
        if (word.includes('@')) embedded(word.slice(0, word.lastIndexOf('@'))).forEach(add);
      }
    }
  }
  for (const side of ['source', 'target'] as const) {
    const username = given.get(`${side}-username`)?.value.trim();
    const password = given.get(`${side}-password`)?.value;
    if (username !== undefined && password !== undefined)
      add(userPass({username, password: trimLineEnd(password)}));
  }
  return [...found].sort((a, b) => b.length - a.length);
}

/** `https://user:password` or `user:password`: the password, the pair, and the pair in Basic's form. */
function embedded(text: string): readonly string[] {
  const pair = text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '');
  const password = pair.slice(pair.indexOf(':') + 1);
  if (password === '' || !pair.includes(':')) return [];
  const username = pair.slice(0, pair.indexOf(':'));
  return [pair, password, unescaped(password), userPass({username, password})];
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * A password, without the line end behind it.
 * @param notice - told when a line end was taken off
 * @throws Refusal, which never holds the password or a part of it
 */
export function readPassword(text: string, notice: (message: string) => void): string {
  const password = trimLineEnd(text);
  if (password !== text) {
    notice('ends with a line end, which was taken off; store it without one');
  }
  if (control.test(password)) {
    throw new Refusal(
      'holds a line break or another control character inside (the value is not shown); a password is one line',
      {discreet: true}
    );
  }
  if (password.trim() === '') {
    throw new Refusal('consists of blanks only; no registry takes that', {discreet: true});
  }
  if (password.length > longestPassword) {
    throw new Refusal(`has ${password.length} characters; at most ${longestPassword} are taken`, {
      discreet: true
    });
  }
  return password;
}
