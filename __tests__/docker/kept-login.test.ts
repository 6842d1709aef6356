import {mkdir, readdir, readFile, stat, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {expect, test} from '@jest/globals';

import {type KeptLogin, undoKeptLogin} from '../../src/docker/kept-login.ts';
import {type Account, signIn} from '../../src/docker/login.ts';
import {parseRegistry} from '../../src/oci/reference.ts';
import {silent} from '../../src/log.ts';
import {post} from '../../src/post.ts';
import {stateNames} from '../../src/run/saved.ts';
import {describeOnPosix, docker, keepsLogins, makePlace, type Place, recordedLog} from './fake.ts';

const never = new AbortController().signal;
const account = (host: string, password = 'canary'): Account => ({
  registry: parseRegistry(host),
  username: 'me',
  password
});
const auth = (text: string) => Buffer.from(text).toString('base64');

const configFile = (place: Place) => join(place.home, '.docker', 'config.json');

async function write(place: Place, text: string): Promise<void> {
  await mkdir(join(place.home, '.docker'), {recursive: true});
  await writeFile(configFile(place), text, {mode: 0o640});
}

async function config(place: Place): Promise<{auths: Record<string, unknown>}> {
  return JSON.parse(await readFile(configFile(place), 'utf8')) as {auths: Record<string, unknown>};
}

/** Signs in and ends the main step; hands back the state as post would read it. */
async function keep(
  place: Place,
  accounts: readonly Account[],
  log = recordedLog()
): Promise<KeptLogin> {
  let state = '';
  using session = await signIn({
    accounts,
    runnerTemp: place.temp,
    env: place.env,
    log,
    signal: never,
    keepLogin: true,
    onKeptLogin: kept => {
      state = JSON.stringify(kept);
    }
  });
  expect(session.client).toBeDefined();
  expect(state).not.toMatch(/canary|Y2FuYXJ5|b3RoZXI/);
  return JSON.parse(state) as KeptLogin;
}

const undo = (place: Place, state: KeptLogin) =>
  undoKeptLogin(state, {runnerTemp: place.temp, env: place.env, log: silent, signal: never});

describeOnPosix('a kept login', () => {
  // Not as docker would write it: two blanks, another order, something docker does not know.
  const text = `{\n  "x": [1, {"y": null}],\n  "auths": {"other.example": {"auth": "${auth('other:o')}"}}\n}\n`;

  test('is there for later steps, and leaves the config byte for byte as it was', async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    await write(place, text);
    const state = await keep(place, [account('one.example'), account('docker.io')]);
    // What it held before has secrets, too: in the meantime nobody else may read that.
    const kept = await readdir(state.directory, {withFileTypes: true});
    const files = kept.filter(entry => entry.isFile()).map(({name}) => join(state.directory, name));
    expect(await Promise.all(files.map(file => readFile(file, 'utf8')))).toContain(text);
    for (const file of files) expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(Object.keys((await config(place)).auths)).toEqual([
      'other.example',
      'one.example',
      'https://index.docker.io/v1/'
    ]);
    await undo(place, state);
    expect(await readFile(configFile(place), 'utf8')).toBe(text);
    expect((await stat(configFile(place))).mode & 0o777).toBe(0o640);
    expect(await readdir(place.temp)).toEqual([]);
    const commands = (await place.calls()).map(({argv}) => argv.join(' '));
    expect(commands).toContain('logout one.example');
    expect(commands).toContain('logout https://index.docker.io/v1/');
    expect(commands.join()).not.toContain('logout other');
  });

  test('that replaced another login brings that back', async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    const before = `{"auths": {"https://one.example/v1/": {"auth": "${auth('other:o')}"}}}`;
    await write(place, before);
    const state = await keep(place, [account('one.example')]);
    expect((await config(place)).auths).toHaveProperty(['one.example'], {auth: auth('me:canary')});
    await undo(place, state);
    expect(await readFile(configFile(place), 'utf8')).toBe(before);
    expect((await place.calls()).some(({argv}) => argv[0] === 'logout')).toBe(false);
  });

  test('leaves alone what another job wrote in the meantime', async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    await write(place, text);
    const state = await keep(place, [account('one.example')]);
    const meantime = await config(place);
    meantime.auths['two.example'] = {auth: auth('two:2')};
    await write(place, JSON.stringify(meantime));
    await undo(place, state);
    expect(await config(place)).toEqual({
      ...(JSON.parse(text) as object),
      auths: {'other.example': {auth: auth('other:o')}, 'two.example': {auth: auth('two:2')}}
    });
  });

  test('of two jobs at once on one machine stays in no config when both have ended', async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    await write(place, text);
    const first = await keep(place, [account('one.example')]);
    const second = await keep(place, [account('one.example')]);
    await undo(place, first);
    expect((await config(place)).auths).not.toHaveProperty(['one.example']);
    // What it found was a login of the other job's, which has signed out since.
    await undo(place, second);
    expect(await readFile(configFile(place), 'utf8')).toBe(text);
    expect(await readdir(place.temp)).toEqual([]);
  });

  test('may be undone twice, and the second time takes nothing away', async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    const state = await keep(place, [account('one.example')]);
    expect(Object.keys((await config(place)).auths)).toEqual(['one.example']);
    await undo(place, state);
    await expect(readFile(configFile(place))).rejects.toMatchObject({code: 'ENOENT'});
    await write(place, text);
    await undo(place, state);
    expect(await readFile(configFile(place), 'utf8')).toBe(text);
  });

  test('is undone without docker too', async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    await write(place, text);
    const state = await keep(place, [account('one.example')]);
    await undoKeptLogin(state, {
      runnerTemp: place.temp,
      env: {HOME: place.home},
      log: silent,
      signal: never
    });
    expect(await readFile(configFile(place), 'utf8')).toBe(text);
  });

  test("does not touch what the job's credential helper holds", async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    const before = '{"auths": {"one.example": {}}, "credsStore": "vault"}';
    await write(place, before);
    const log = recordedLog();
    const state = await keep(place, [account('one.example')], log);
    expect(state.registries).toEqual([]);
    expect(log.lines.join('\n')).toContain('one.example with a credential helper already');
    expect(await readFile(configFile(place), 'utf8')).toBe(before);
    await undo(place, state);
    expect(await readFile(configFile(place), 'utf8')).toBe(before);
  });

  test.each([undefined, '{"psFormat": "x"}', '{"auths": {}}'])(
    'leaves no store behind that docker chose by itself, in a config of %s',
    async before => {
      await using place = await makePlace();
      // As docker does in a config without any entry, where the system's own helper is on PATH.
      await place.program(
        'docker',
        `${keepsLogins}
config.auths = args[0] === 'logout' ? {} : {[host]: {}};
config.credsStore = 'secretservice';
fs.writeFileSync(file, JSON.stringify(config, undefined, '\\t'));`
      );
      if (before !== undefined) await write(place, before);
      const state = await keep(place, [account('one.example')]);
      expect(await config(place)).toMatchObject({credsStore: 'secretservice'});
      await undo(place, state);
      expect(await readFile(configFile(place), 'utf8').catch(() => undefined)).toBe(before);
    }
  );

  test('leaves the store that docker chose where another job is signed in by it since', async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    await write(place, '{"psFormat": "x"}');
    const state = await keep(place, [account('one.example')]);
    const now = {psFormat: 'x', auths: {'other.example': {}}, credsStore: 'secretservice'};
    await write(place, JSON.stringify({...now, auths: {...now.auths, 'one.example': {}}}));
    await undo(place, state);
    expect(await config(place)).toEqual(now);
  });

  test('is not made with wrong credentials', async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    await write(place, text);
    const state = await keep(place, [account('one.example', 'wrong')]);
    expect(state.registries).toEqual([]);
    expect(await readFile(configFile(place), 'utf8')).toBe(text);
  });

  test.each([
    ['there is no docker', undefined, 'there is no docker client on PATH'],
    ['docker cannot sign in', docker('console.error("x509"); process.exit(1);'), 'x509'],
    ['docker is refused', docker('console.error("401"); process.exit(1);'), '401']
  ])('is told not to be there where %s', async (_, body, reason) => {
    await using place = await makePlace();
    if (body !== undefined) await place.program('docker', body);
    const warnings: string[] = [];
    using session = await signIn({
      accounts: [account('one.example'), {...account('two.example'), keep: false}],
      runnerTemp: place.temp,
      env: place.env,
      log: {...silent, warning: message => void warnings.push(message)},
      signal: never,
      keepLogin: true
    });
    expect(session.answers).toHaveLength(2);
    expect(warnings).toEqual([
      expect.stringMatching(
        `^Later steps will not be signed in to one.example \\(keep-login\\): .*${reason}`
      )
    ]);
  });

  test('needs a config that can be understood, and says so before it signs in', async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    await write(place, '{"auths": canary');
    const error: unknown = await keep(place, [account('one.example')]).catch(
      (thrown: unknown) => thrown
    );
    expect(error).toMatchObject({name: 'DockerError', fault: 'config'});
    expect((error as Error).message).toContain(configFile(place));
    expect((error as Error).message).not.toContain('canary');
    expect(await readdir(place.temp)).toEqual([]);
    expect(await readFile(configFile(place), 'utf8')).toBe('{"auths": canary');
  });

  test('leaves no login of ours behind where the config cannot be put back any more', async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    await write(place, text);
    const state = await keep(place, [account('one.example')]);
    // A later step was ended while it wrote.
    await write(place, '{"auths": {"one.example');
    const log = recordedLog();
    await post({
      ...{log, runnerTemp: place.temp, env: place.env},
      state: name => (name === stateNames.directory ? state.directory : JSON.stringify(state))
    });
    expect(log.lines.join('\n')).toContain('the sign-in could not be undone');
    expect(await readdir(place.temp)).toEqual([]);
  });

  test('is not undone from a state that is not ours', async () => {
    await using place = await makePlace();
    const ours = join(place.temp, `arcdata-mirror-docker-${'0'.repeat(32)}`);
    const state = {directory: ours, file: configFile(place), existed: true, registries: []};
    for (const change of [{directory: place.home}, {file: '/etc/passwd'}, {file: 'config.json'}]) {
      await expect(undo(place, {...state, ...change})).rejects.toMatchObject({fault: 'config'});
    }
    await undo(place, state);
  });
});
