import {readCertificates} from './inputs/ca-file.ts';
import {Checks} from './inputs/checks.ts';
import {readDocker} from './inputs/docker.ts';
import {readEndpoint, readPlainHost, readTag} from './inputs/endpoint.ts';
import {
  inputsOf,
  placesOf,
  variablesOf,
  warnOfUnknownInputs,
  warnOfUnknownVariables
} from './inputs/environment.ts';
import {InputError} from './inputs/error.ts';
import {combine, type Given} from './inputs/given.ts';
import {namesIn, readImages} from './inputs/images.ts';
import {readLockFile} from './inputs/path.ts';
import {readBoolean, readChoice, readNumber} from './inputs/scalar.ts';
import {maskSecrets} from './inputs/secret.ts';
import type {Settings} from './inputs/settings.ts';
import {checkTogether} from './inputs/together.ts';
import type {Log} from './log.ts';
import {parseTagRequest, type TagRequest} from './release/request.ts';

export type {Endpoint, ImageSelection, Settings} from './inputs/settings.ts';

const transfers = {unit: 'transfers', least: 1, most: 64, example: 8};
const shardLimits = {unit: 'shards', least: 1, most: 16, example: 4};
const minutes = {unit: 'minutes', least: 1, most: 2880, example: 180};

/**
 * Everything that a step was told: by `with:`, and by the variables of Microsoft's sample script
 * where `with:` says nothing. Secrets are masked before anything else happens.
 * @throws InputError with everything that is wrong; nothing was sent anywhere by then
 */
export function readInputs(env: NodeJS.ProcessEnv, log: Log): Settings {
  const given = inputsOf(env);
  maskSecrets(given, log);
  warnOfUnknownInputs(env, log);
  return readSettings(combine(given, readVariables(env, log)), log, env);
}

/** What the ten variables of Microsoft's sample script say. Secrets in them are masked. */
export function readVariables(env: NodeJS.ProcessEnv, log: Log): Given {
  const given = variablesOf(env);
  maskSecrets(given, log);
  warnOfUnknownVariables(env, log);
  return given;
}

/**
 * Checks everything that was given, whoever gave it, and turns it into settings.
 * @param env - where the runner says what paths are relative to and where its temporary folder is
 * @throws InputError with everything that is wrong; nothing was sent anywhere by then
 */
export function readSettings(
  given: Given,
  log: Log,
  env: NodeJS.ProcessEnv = process.env
): Settings {
  maskSecrets(given, log);
  const checks = new Checks(given, log);
  const places = placesOf(env);
  const insecure = new Set<string>(checks.readList('insecure-registries', readPlainHost));
  const images = readImages(checks);
  const source = readEndpoint(checks, 'source', insecure, namesIn(images));
  const target = readEndpoint(checks, 'target', insecure, namesIn(images));
  const tags = distinct(checks.readList('source-tag', parseTagRequest));
  const targetTag = checks.read('target-tag', readTag);
  const concurrency = checks.read('concurrency', text => readNumber(text, transfers));
  const timeout = checks.read('timeout', text => readNumber(text, minutes));
  const shards = checks.read('shards', text => readNumber(text, shardLimits));
  const engine = checks.read('engine', text =>
    readChoice<Settings['engine']>(text, ['registry', 'docker'])
  );
  const flags = {
    dryRun: checks.read('dry-run', readBoolean),
    publish: checks.read('publish', readBoolean),
    referrers: checks.read('referrers', readBoolean),
    chart: checks.read('chart', readBoolean),
    keepLogin: checks.read('keep-login', readBoolean)
  };
  const ca = checks.read('ca-file', text => readCertificates(text, places));
  const lockFile = checks.attempt('lock-file', checks.text('lock-file') ?? '', text =>
    readLockFile(text, places)
  );
  const docker = readDocker(checks, insecure);
  for (const ended of ca?.expired ?? []) checks.tell('warning', 'ca-file', ended);
  checkTogether(checks, {source, target, tags, images, targetTag, keepLogin: flags.keepLogin});

  const needed = {source, target, concurrency, timeout, shards, engine, lockFile, ...flags};
  if (checks.problems.length > 0 || !isWhole(needed)) throw new InputError(checks.problems);
  return {
    ...needed,
    ...docker,
    tags,
    images,
    insecure,
    timeout: needed.timeout * 60_000,
    ...(checks.has('lock-file') && {lockFileAsked: true}),
    ...(targetTag !== undefined && {targetTag}),
    ...(ca && {ca: ca.pem, caFile: ca.path})
  };
}

/** The same line twice asks for nothing more. */
function distinct(requests: readonly TagRequest[]): readonly TagRequest[] {
  return [...new Map(requests.map(request => [request.text, request])).values()];
}

/** Whether nothing is absent. */
function isWhole<T extends object>(
  parts: T
): parts is T & {readonly [Key in keyof T]: Exclude<T[Key], undefined>} {
  return Object.values(parts).every(part => part !== undefined);
}
