import {randomUUID} from 'node:crypto';
import {closeSync, openSync, realpathSync, rmSync, statSync} from 'node:fs';
import {dirname, isAbsolute, join, relative, resolve, sep} from 'node:path';

import {shown} from './checks.ts';
import {Refusal} from './error.ts';

/** What paths are relative to. */
export interface Places {
  /** The workspace of the job; else the folder one is in. */
  readonly base: string;
  /** Whether a relative path may not leave `base`: so in a job, where files come from a checkout. */
  readonly confined: boolean;
  /** Where files go that nobody asked for. */
  readonly temporary: string;
}

/**
 * An absolute path of what was given.
 * @throws Refusal
 */
export function readPath(text: string, {base, confined}: Places): string {
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text)) {
    throw new Refusal(
      `${shown(text)} holds a line break or another control character; a path is wanted`
    );
  }
  const path = resolve(base, text);
  if (confined && !isAbsolute(text)) refuseOutside(path, base, shown(text));
  return path;
}

/**
 * Sees that a relative path does not lead out of the workspace by a link, which a checkout may bring along.
 * What is not there is left to whoever opens it.
 * @throws Refusal
 */
export function stayInside(path: string, text: string, {base, confined}: Places): void {
  if (!confined || isAbsolute(text)) return;
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    return;
  }
  refuseOutside(real, realpathSync(base), shown(text));
}

function refuseOutside(path: string, base: string, named: string): void {
  const inside = relative(base, path);
  if (inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside)) return;
  throw new Refusal(
    `${named} leads out of the workspace; write a path within it, or an absolute one`
  );
}

/** Folders of the system in which nothing is a file of ours; what is in shared memory may be one. */
const devices = /^\/(?:dev(?!\/shm(?:\/|$))|proc|sys)(?:\/|$)/;

/**
 * The path of the lock file: its folder is there and, where it was asked for, takes a file; nothing but a
 * file is at its place.
 * @param text - empty for a file in the temporary folder
 * @throws Refusal
 */
export function readLockFile(text: string, places: Places): string {
  const path =
    text === ''
      ? join(resolve(places.temporary), 'arcdata-mirror.lock.json')
      : readPath(text, places);
  const named = shown(text === '' ? path : text);
  const folder = kindOf(dirname(path), named);
  if (text === '' && folder !== 'folder') {
    throw new Refusal(
      `none is given, and the folder for temporary files, ${shown(dirname(path))}, ${folder === 'nothing' ? 'does not exist' : 'is no folder'}; give a path, or name a folder that is there in RUNNER_TEMP (in a job) or TMPDIR`
    );
  }
  if (folder === 'nothing') {
    throw new Refusal(`${named} lies in a folder that does not exist; make it in an earlier step`);
  }
  if (folder !== 'folder') throw new Refusal(`${named} lies below something that is no folder`);
  if (text !== '') stayInside(dirname(path), text, places);
  // A file is put in the place of what is there: /dev/stdout would be gone, for everybody.
  if (devices.test(realpathSync(dirname(path)))) {
    throw new Refusal(
      `${named} lies where the system has its devices; write the path of a file, such as mirror.lock.json`
    );
  }
  const kind = kindOf(path, named);
  if (kind !== 'file' && kind !== 'nothing') {
    throw new Refusal(
      `${named} is not a file but a ${kind}; write the path of a file, such as mirror.lock.json`
    );
  }
  if (text !== '') tryFolder(dirname(path), named);
  return path;
}

/**
 * Makes a file there and takes it away: rights alone do not tell, of a disk that is read-only or full.
 * @throws Refusal
 */
function tryFolder(folder: string, named: string): void {
  const probe = join(folder, `.arcdata-mirror.${randomUUID()}.tmp`);
  try {
    closeSync(openSync(probe, 'wx'));
    rmSync(probe, {force: true});
  } catch (error) {
    const {code = 'no reason told'} = error as NodeJS.ErrnoException;
    throw new Refusal(
      `${named} lies in a folder that cannot be written to (${code}); give another path, or make it writable`
    );
  }
}

function kindOf(path: string, named: string): 'file' | 'folder' | 'device or pipe' | 'nothing' {
  try {
    const found = statSync(path);
    if (found.isFile()) return 'file';
    return found.isDirectory() ? 'folder' : 'device or pipe';
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return 'nothing';
    throw new Refusal(`${named} cannot be looked at (${code ?? 'no reason told'})`);
  }
}
