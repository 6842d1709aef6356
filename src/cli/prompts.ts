import input from '@inquirer/input';
import password from '@inquirer/password';

import {isRefusal} from '../inputs/checks.ts';
import {
  readPlainHost,
  readRegistry,
  readRepository,
  readTag,
  readUsername
} from '../inputs/endpoint.ts';
import {type Given, type GivenValue, isGiven} from '../inputs/given.ts';
import {readLines, splitCommas} from '../inputs/lines.ts';
import {readPassword} from '../inputs/secret.ts';
import {type InputName, inputRow} from '../inputs/table.ts';
import {parseTagRequest} from '../release/request.ts';
import {CancelledError, UsageError} from './error.ts';

/** Where questions are asked. With `--json`, where standard output belongs to the result, on standard error. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & {readonly isTTY?: boolean};
  readonly output: NodeJS.WritableStream & {readonly isTTY?: boolean};
}

interface Question {
  readonly name: InputName;
  readonly text: string;
  /** Offered, and taken when Enter alone is pressed. */
  readonly offer?: string;
  /** Whether nothing may be answered. */
  readonly optional?: boolean;
}

/** The ten questions of Microsoft's sample script, in its order. */
const questions: readonly Question[] = [
  {
    name: 'source-registry',
    text: 'Registry to copy from',
    offer: inputRow('source-registry').default ?? ''
  },
  {
    name: 'source-repository',
    text: 'Repository there',
    offer: inputRow('source-repository').default ?? ''
  },
  {name: 'source-username', text: 'User name there (Enter for none)', optional: true},
  {name: 'source-password', text: 'Password there'},
  {name: 'source-tag', text: 'Release to copy', offer: inputRow('source-tag').default ?? ''},
  {name: 'target-registry', text: 'Registry to copy to (DNS name or IP address)'},
  {name: 'target-repository', text: 'Repository there', offer: 'arcdata'},
  {
    name: 'target-username',
    text: "User name there (Enter for docker's own login, or none)",
    optional: true
  },
  {name: 'target-password', text: 'Password there'},
  {name: 'target-tag', text: "Tag there (Enter for the source's)", optional: true}
];

/**
 * Asks for what is missing among the script's ten answers, where there is a terminal to ask on. Each
 * answer is held to the rules of its input at once; passwords are masked, and only asked for when
 * there is a user name.
 * @param mistakesIn what is wrong already, a line each: nobody is asked then, only to start again
 * @returns what was given together with the answers
 * @throws UsageError with these mistakes; CancelledError on Ctrl-C, or when the signal ends the questions
 */
export async function askForMissing(
  given: Given,
  terminal: Terminal,
  signal?: AbortSignal,
  mistakesIn: (given: Given) => readonly string[] = () => []
): Promise<Given> {
  if (!hasTerminal(terminal)) return given;
  const mistakes = mistakesIn(given);
  if (mistakes.length > 0) throw new UsageError(mistakes.join('\n'));
  const answers = new Map(given);
  const context = {input: terminal.input, output: terminal.output, ...(signal && {signal})};
  for (const question of questions) {
    if (!isWanted(question.name, answers)) continue;
    try {
      const value = listed(question.name, await ask(question, answers, context));
      if (value !== '') answers.set(question.name, {value, origin: 'prompt'});
    } catch (error) {
      // Its classes are not exported; the names are what there is to go by.
      const {name} = error as Error;
      if (name !== 'ExitPromptError' && name !== 'AbortPromptError') throw error;
      throw new CancelledError();
    }
  }
  return answers;
}

/** Whether there is somebody to be asked. */
export function hasTerminal({input, output}: Terminal): boolean {
  return input.isTTY === true && output.isTTY === true;
}

function isWanted(name: InputName, answers: ReadonlyMap<InputName, GivenValue>): boolean {
  if (isGiven(name, answers.get(name))) return false;
  if (name === 'source-password') return isGiven('source-username', answers.get('source-username'));
  if (name === 'target-password') return isGiven('target-username', answers.get('target-username'));
  return true;
}

async function ask(
  {name, text, offer, optional = false}: Question,
  given: Given,
  context: NonNullable<Parameters<typeof input>[1]>
): Promise<string> {
  const validate = (answer: string): true | string => {
    if (answer.trim() === '') return optional || 'An answer is needed here (Ctrl-C to stop)';
    return rule(name, listed(name, answer), given);
  };
  if (inputRow(name).form === 'secret')
    return password({message: text, mask: '*', validate}, context);
  return input({message: text, validate, ...(offer !== undefined && {default: offer})}, context);
}

/** An answer is one line: the items of a list are parted by commas, as in a flag. */
function listed(name: InputName, answer: string): string {
  return inputRow(name).form === 'list' ? splitCommas(answer) : answer;
}

/** True, or the rule that an answer breaks. */
function rule(name: InputName, answer: string, given: Given): true | string {
  try {
    check(name, answer, given);
    return true;
  } catch (error) {
    if (isRefusal(error)) return error.message;
    throw error;
  }
}

function check(name: InputName, answer: string, given: Given): void {
  switch (name) {
    case 'source-registry':
    case 'target-registry':
      readRegistry(answer, plainHosts(given));
      break;
    case 'source-repository':
    case 'target-repository':
      readRepository(answer);
      break;
    case 'source-username':
    case 'target-username':
      readUsername(answer);
      break;
    case 'source-password':
    case 'target-password':
      readPassword(answer, () => undefined);
      break;
    case 'source-tag':
      readLines(answer).forEach(parseTagRequest);
      break;
    case 'target-tag':
      readTag(answer);
      break;
    default:
      throw new TypeError(`no question is asked for ${name}`);
  }
}

function plainHosts(given: Given): ReadonlySet<string> {
  const hosts = readLines(given.get('insecure-registries')?.value ?? '').flatMap(line => {
    try {
      return [readPlainHost(line)];
    } catch (error) {
      // It is told with everything else once the questions are over.
      if (isRefusal(error)) return [];
      throw error;
    }
  });
  return new Set(hosts);
}
