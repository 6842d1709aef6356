import {parseArgs} from 'node:util';

import type {Given, GivenValue} from '../inputs/given.ts';
import {splitCommas} from '../inputs/lines.ts';
import {didYouMean} from '../inputs/nearest.ts';
import {type InputName, inputRow, inputTable, isInputName} from '../inputs/table.ts';
import {clean} from '../oci/clean.ts';
import {ArgumentsError} from './error.ts';
import {misplaced} from './misplaced.ts';

/** What the program is asked to do. */
export type Command = 'mirror' | 'demo' | 'verify' | 'help' | 'version';

/** A command line, taken apart. Values are not checked yet: that is done as for the action's inputs. */
export interface Arguments {
  readonly command: Command;
  /** What the flags say. */
  readonly given: Given;
  /** The password that comes over standard input. */
  readonly passwordOnStdin?: 'source-password' | 'target-password';
  /** The path of the lock file that `verify` compares with, instead of the source. */
  readonly against?: string;
  /** Whether the result is written as JSON. */
  readonly json: boolean;
  /** Whether what is missing may be asked for. */
  readonly prompts: boolean;
}

/** The flags that are no inputs, and what they do. */
export const ownFlags = {
  'source-password-stdin': 'Read the password at the source from standard input.',
  'target-password-stdin': 'Read the password at the target from standard input.',
  against: 'With verify: compare the target with this lock file; no source is needed.',
  json: 'Write the result as JSON to standard output.',
  yes: 'Ask nothing; what is missing takes its default.',
  'no-input': 'The same as --yes.',
  help: 'Show this text.',
  version: 'Show the version.'
} as const;

type OwnFlag = keyof typeof ownFlags;
const own = Object.keys(ownFlags) as OwnFlag[];
/** The flags of our own that take a value, and what that is. */
export const ownValues: ReadonlyMap<string, string> = new Map([['against', 'FILE']]);
const commands: readonly Command[] = ['mirror', 'demo', 'verify', 'help', 'version'];

/**
 * Takes a command line apart, without the two first items of `process.argv`. Lists repeat their flag
 * or take commas; a boolean is `--dry-run`, `--no-publish` or `--publish=false`.
 * @throws ArgumentsError with everything that cannot be understood, a line each; it never holds a value
 */
export function parseArguments(argv: readonly string[]): Arguments {
  const {tokens} = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    options: Object.fromEntries([
      ...inputTable.map(({name, form}) => [
        name,
        {type: form === 'boolean' ? 'boolean' : 'string'}
      ]),
      ...own.map(name => [
        name,
        {type: ownValues.has(name) ? 'string' : 'boolean', ...(name === 'help' && {short: 'h'})}
      ])
    ]) as Record<string, {type: 'boolean' | 'string'; short?: string}>
  });
  const reader = new ArgumentReader();
  for (const token of tokens) {
    if (token.kind === 'positional') reader.word(token.value);
    else if (token.kind === 'option') reader.flag(argv[token.index] ?? '', token);
  }
  return reader.end();
}

interface OptionToken {
  readonly name: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

class ArgumentReader {
  readonly #mistakes = new Set<string>();
  readonly #given = new Map<InputName, GivenValue>();
  readonly #flags = new Set<OwnFlag>();
  readonly #words: string[] = [];
  #against: string | undefined;
  #strange = false;

  word(text: string): void {
    this.#words.push(text);
  }

  flag(written: string, {name, value, inlineValue}: OptionToken): void {
    const negated = name.startsWith('no-') ? name.slice('no-'.length) : undefined;
    if (name === 'against') {
      this.#compare(value, inlineValue === true);
    } else if (isOwnFlag(name)) {
      if (value !== undefined) this.#mistakes.add(`--${name} takes no value`);
      this.#flags.add(name);
    } else if (isInputName(name)) {
      this.#input(name, value, inlineValue === true);
    } else if (
      negated !== undefined &&
      isInputName(negated) &&
      inputRow(negated).form === 'boolean' &&
      value === undefined
    ) {
      this.#set(negated, 'false');
    } else {
      this.#unknown(written, name);
    }
  }

  /** @throws ArgumentsError */
  end(): Arguments {
    const command = this.#command();
    const stdin = (['source-password', 'target-password'] as const).filter(name =>
      this.#flags.has(`${name}-stdin`)
    );
    if (stdin.length > 1) {
      this.#mistakes.add(
        'only one password can come over standard input; give the other one by its variable'
      );
    }
    const beside = {
      against: this.#against !== undefined,
      passwordsOnStdin: stdin
    };
    for (const mistake of misplaced(command, this.#given, beside)) this.#mistakes.add(mistake);
    if (this.#mistakes.size > 0) {
      const takesInputs = command === 'mirror' || command === 'verify';
      throw new ArgumentsError([...this.#mistakes], {
        ...(takesInputs && {given: this.#given}),
        ...(command === 'verify' && this.#against !== undefined && {against: this.#against})
      });
    }
    return {
      command,
      given: this.#given,
      ...(stdin[0] !== undefined && {passwordOnStdin: stdin[0]}),
      ...(this.#against !== undefined && {against: this.#against}),
      json: this.#flags.has('json'),
      prompts: !this.#flags.has('yes') && !this.#flags.has('no-input')
    };
  }

  #input(name: InputName, value: string | undefined, inline: boolean): void {
    const {form, variable} = inputRow(name);
    if (form === 'secret') {
      // Whoever can list the processes of this machine can read its arguments.
      this.#mistakes.add(
        `--${name} is not taken, since other users of this machine could read it; set ${variable ?? ''}, use --${name}-stdin, or leave it out and be asked`
      );
    } else if (form === 'boolean') {
      this.#set(name, value ?? 'true');
    } else if (value === undefined || (!inline && looksLikeFlag(name, value))) {
      this.#mistakes.add(`--${name} needs a value, such as --${name}=…`);
    } else {
      this.#set(name, form === 'list' ? splitCommas(value) : value);
    }
  }

  #compare(value: string | undefined, inline: boolean): void {
    if (value === undefined || value === '' || (!inline && value.startsWith('-')))
      this.#mistakes.add('--against needs a value, the path of a lock file');
    else if (this.#against !== undefined && this.#against !== value)
      this.#mistakes.add('--against is given twice, with different values');
    else this.#against = value;
  }

  #set(name: InputName, value: string): void {
    const before = this.#given.get(name);
    const {form} = inputRow(name);
    if (before !== undefined && form !== 'list' && before.value !== value) {
      this.#mistakes.add(`--${name} is given twice, with different values`);
    }
    const joined = before !== undefined && form === 'list' ? `${before.value}\n${value}` : value;
    this.#given.set(name, {value: joined, origin: 'flag'});
  }

  #unknown(written: string, name: string): void {
    this.#strange = true;
    // -phunter2 may be a password in docker's manner, so only the first letter is shown.
    const short = !written.startsWith('--');
    const flag = short ? written.slice(0, 2) : `--${clean(name, 60)}`;
    const known = [...inputTable.map(row => row.name), ...own];
    // A secret is not taken as an argument: what is meant is the flag beside it.
    const show = (one: string) =>
      `--${one}${isInputName(one) && inputRow(one).form === 'secret' ? '-stdin' : ''}`;
    this.#mistakes.add(
      `${clean(flag)} is not known${short ? '' : didYouMean(name, known, show)} (--help lists all flags)`
    );
  }

  #command(): Command {
    const [first, ...more] = this.#words;
    if (this.#flags.has('help')) return 'help';
    if (this.#flags.has('version')) return 'version';
    if (first === undefined) return 'mirror';
    const command = commands.find(known => known === first);
    // What stands behind an unknown flag is perhaps its value, and that perhaps a password.
    if (this.#strange) return command ?? 'mirror';
    if (command === undefined) {
      // Shown only where it looks like a command: it may as well be a password gone astray.
      const meant = didYouMean(first, commands);
      const word = meant === '' ? 'a word on the command line' : JSON.stringify(clean(first, 60));
      this.#mistakes.add(
        `${word} is no command${meant === '' ? '; known' : `${meant} Known`} are ${commands.join(', ')}; a boolean takes its value with =, such as --publish=false`
      );
    } else if (more.length > 0 && command !== 'help') {
      this.#mistakes.add(
        `nothing is expected behind ${command} but flags; a boolean takes its value with =, such as --publish=false`
      );
    }
    return command ?? 'mirror';
  }
}

/** With `--images -arc-dns` the dash belongs to the value; two dashes never do. */
function looksLikeFlag(name: InputName, value: string): boolean {
  return value.startsWith(name === 'images' ? '--' : '-');
}

function isOwnFlag(name: string): name is OwnFlag {
  return Object.hasOwn(ownFlags, name);
}
