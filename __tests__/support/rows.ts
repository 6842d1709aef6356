import type {RequestRecord} from '../../src/demo/record.ts';
import type {Effect, Rule, RuleMatch} from '../../src/demo/rules.ts';
import type {World} from './fault-world.ts';
import {shortTimings} from './mirror-run.ts';

/** The words that rows of the matrix are written in. */
export const always = 'always' as const;

/** A fault: which requests, what, and how often; once unless told. */
export function rule(on: RuleMatch, effect: Effect, more: Partial<Rule> = {}): Rule {
  return {on, do: effect, ...more};
}

/** An answer with this status instead of the registry's own. */
export function status(code: number, more: Partial<Effect & {effect: 'answer'}> = {}): Effect {
  return {effect: 'answer', status: code, ...more};
}

/** A 401 that does not say how to sign in. */
export const bare401 = rule(
  {authorized: true},
  {effect: 'headers', set: {'WWW-Authenticate': null}},
  {times: always}
);

/** An error document with one entry. */
export function error(code: string, message = 'said the registry') {
  return {errors: [{code, message}]};
}

/** Nothing but the greeting tells then that it is a registry: without it nobody asks for that. */
export const unversioned = rule(
  {},
  {effect: 'headers', set: {'Docker-Distribution-Api-Version': null}},
  {times: always}
);

/** Time limits for rows in which something stalls. */
export const short = {timings: shortTimings};

/** An account, and a run that signs in with it at the target or at the source. */
export const account = {kind: 'bearer', username: 'robot', password: 'c"a$n%a ry'} as const;
export const signedIn = {
  targetOptions: {auth: account},
  inputs: {'target-username': account.username, 'target-password': account.password},
  secrets: [account.password]
};
export const sourceLogin = {
  'source-username': account.username,
  'source-password': account.password
};

/** Requests of one kind at one side. */
export function asked(
  requests: readonly RequestRecord[],
  kind: RequestRecord['kind'],
  ...methods: readonly string[]
): readonly RequestRecord[] {
  return requests.filter(one => one.kind === kind && methods.includes(one.method));
}

/** A finding when there are more of something than there may be. */
export function most(limit: number, what: string, count: number): string[] {
  return count <= limit ? [] : [`${count} ${what}, ${limit} at most were expected`];
}

/** Findings when anything at all reached the host that a registry named. */
export function nothingAtSink({sink}: World): string[] {
  return sink.requests.map(({method, path}) => `${method} ${path} came to the sink`);
}
