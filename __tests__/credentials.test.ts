import {execFile} from 'node:child_process';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {expect, test} from '@jest/globals';

import {parseRegistry} from '../src/oci/reference.ts';
import {type FoundCredentials, findCredentials} from '../src/registry/credentials.ts';
import {dockerConfigFile, registryOfKey} from '../src/registry/docker-config.ts';
import {describeOnPosix, makePlace, type Place, recordedLog} from './docker/fake.ts';

const never = new AbortController().signal;
const auth = (text: string) => Buffer.from(text).toString('base64');

/** What is found for `host` with this docker config. */
async function find(
  place: Place,
  host: string,
  config?: unknown,
  more: {env?: Record<string, string>; username?: string; password?: string} = {},
  log = recordedLog()
): Promise<FoundCredentials> {
  if (config !== undefined) {
    await mkdir(join(place.home, '.docker'), {recursive: true});
    await writeFile(
      join(place.home, '.docker', 'config.json'),
      typeof config === 'string' ? config : JSON.stringify(config)
    );
  }
  const {env, ...given} = more;
  return await findCredentials({
    registry: parseRegistry(host),
    ...given,
    env: {...place.env, USERPROFILE: place.home, ...env},
    log,
    signal: never
  });
}

async function within<T>(body: (place: Place) => Promise<T>): Promise<T> {
  await using place = await makePlace();
  return await body(place);
}

test('the chain: inputs, DOCKER_AUTH_CONFIG, docker config, nobody', async () => {
  await using place = await makePlace();
  const config = {auths: {'one.example': {auth: auth('file:f')}}};
  const env = {DOCKER_AUTH_CONFIG: JSON.stringify({auths: {'one.example': {auth: auth('env:e')}}})};
  expect(await find(place, 'one.example', config, {env, username: 'me', password: 'p'})).toEqual({
    kind: 'password',
    username: 'me',
    password: 'p',
    from: 'the inputs'
  });
  expect(await find(place, 'one.example', config, {env})).toEqual({
    kind: 'password',
    username: 'env',
    password: 'e',
    from: 'DOCKER_AUTH_CONFIG'
  });
  const file = join(place.home, '.docker', 'config.json');
  expect(await find(place, 'one.example', config)).toEqual({
    kind: 'password',
    username: 'file',
    password: 'f',
    from: file
  });
  expect(await find(place, 'two.example', config, {env})).toEqual({
    kind: 'anonymous',
    from: `neither the inputs nor DOCKER_AUTH_CONFIG nor ${file} has any for two.example`
  });
  expect(await within(empty => find(empty, 'one.example'))).toMatchObject({kind: 'anonymous'});
});

test('DOCKER_CONFIG says where the config is', async () => {
  await using place = await makePlace();
  await writeFile(
    join(place.temp, 'config.json'),
    `\uFEFF${JSON.stringify({auths: {'one.example': {username: 'u', password: 'p:q'}}})}`
  );
  const env = {DOCKER_CONFIG: place.temp};
  expect(dockerConfigFile({...place.env, ...env})).toBe(join(place.temp, 'config.json'));
  expect(await find(place, 'one.example', undefined, {env})).toMatchObject({
    username: 'u',
    password: 'p:q'
  });
});

test.each([
  ['one.example', 'one.example', true],
  ['one.example', 'https://one.example', true],
  ['one.example', 'https://one.example/v1/', true],
  ['one.example', 'https://ONE.example:443/v2/', true],
  ['one.example', 'http://one.example:80/', true],
  ['one.example:5000', 'https://one.example:5000/v1/', true],
  ['docker.io', 'https://index.docker.io/v1/', true],
  ['docker.io', 'docker.io', true],
  ['docker.io', 'registry-1.docker.io', true],
  ['index.docker.io', 'https://index.docker.io/v1/', true],
  ['one.example', 'one.example.evil', false],
  ['one.example', 'one.exampl', false],
  ['one.example', 'evil.one.example', false],
  ['one.example', 'one.example:5000', false],
  ['one.example:5000', 'one.example', false],
  ['one.example', 'one.example/team', false],
  ['one.example', 'https://one.example@evil.example', false],
  ['docker.io', 'https://index.docker.io.evil/v1/', false],
  ['docker.io', 'hub.docker.io', false],
  ['io', 'docker.io', false]
])('for %s the key %s counts: %s', async (host, key, counts) => {
  const config = {auths: {[key]: {auth: auth('u:p')}}};
  const {kind} = await within(place => find(place, host, config));
  expect(kind).toBe(counts ? 'password' : 'anonymous');
});

test("a registry's very name is taken before another spelling of it", async () => {
  const auths = {
    'https://one.example/v1/': {auth: auth('other:o')},
    'one.example': {auth: auth('own:o')}
  };
  expect(await within(place => find(place, 'one.example', {auths}))).toMatchObject({
    username: 'own'
  });
});

test.each([
  ['an identity token', {auth: auth('00000000-0000-0000-0000-000000000000:'), identitytoken: 't'}],
  ["docker's user name for one", {auth: auth('<token>:t')}]
])('%s is one', async (_, entry) => {
  const log = recordedLog();
  const config = {auths: {'one.example': entry}};
  expect(await within(place => find(place, 'one.example', config, {}, log))).toMatchObject({
    kind: 'identity-token',
    token: 't'
  });
  expect(log.secrets).toEqual(['t']);
});

test('what is found is masked, and base64 of it', async () => {
  const log = recordedLog();
  const config = {auths: {'one.example': {auth: auth('u:p\u0000\u0000')}}};
  await within(place => find(place, 'one.example', config, {}, log));
  expect(log.secrets).toEqual(['p', auth('u:p')]);
});

test.each<[string, unknown, string]>([
  ['no JSON', '{"auths": {"one.example": {"auth": "canary"', 'it is not JSON'],
  ['no object', '["canary"]', 'it is not a JSON object'],
  ['auths that are none', {auths: 'canary'}, 'its auths is not an object'],
  ['helpers that are none', {credHelpers: ['canary']}, 'its credHelpers is not an object'],
  ['a store that is none', {credsStore: 7}, 'its credsStore is not a text'],
  ['auth that is not base64', {auths: {'one.example': {auth: 'canary!'}}}, 'auth of its entry'],
  ['auth without a colon', {auths: {'one.example': {auth: auth('canary')}}}, 'auth of its entry'],
  ['auth that is no text', {auths: {'one.example': {auth: 1}}}, 'auth of its entry is not a text'],
  ['too much', ' '.repeat(1_100_000), 'larger than 1 MiB']
])('a config with %s is told of, its content is not', async (_, config, why) => {
  await using place = await makePlace();
  const error: unknown = await find(place, 'one.example', config).catch(
    (thrown: unknown) => thrown
  );
  expect(error).toMatchObject({name: 'RegistryError', fault: 'unauthorized', host: 'one.example'});
  const {message} = error as Error;
  expect(message).toContain(join(place.home, '.docker', 'config.json'));
  expect(message).toContain(why);
  expect(`${message} ${String((error as {advice?: string}).advice)}`).not.toMatch(
    /canary|Y2FuYXJ5/
  );
});

test('a broken DOCKER_AUTH_CONFIG is told of by its name', async () => {
  const env = {DOCKER_AUTH_CONFIG: 'canary'};
  await expect(within(place => find(place, 'one.example', undefined, {env}))).rejects.toThrow(
    'the docker config in DOCKER_AUTH_CONFIG cannot be used for one.example: it is not JSON'
  );
});

test('entries of other registries may be as broken as they like', async () => {
  const auths = {
    'two.example': {auth: '!'},
    'three.example': null,
    'one.example': {auth: auth('u:p')}
  };
  expect(await within(place => find(place, 'one.example', {auths}))).toMatchObject({
    username: 'u'
  });
});

describeOnPosix('a config that is not a file', () => {
  test('is not waited for', async () => {
    await using place = await makePlace();
    await mkdir(join(place.home, '.docker'));
    await promisify(execFile)('mkfifo', [join(place.home, '.docker', 'config.json')]);
    await expect(find(place, 'one.example')).rejects.toThrow('it is not a file');
  });
});

describeOnPosix('a credential helper', () => {
  const answers = (username: string, secret: string) =>
    `console.log(JSON.stringify({ServerURL: stdin, Username: ${JSON.stringify(username)}, Secret: ${JSON.stringify(secret)}}));`;
  const knowsNothing = `console.log('credentials not found in native keychain'); process.exit(1);`;

  test('is asked as docker asks it, and gets none of our inputs', async () => {
    await using place = await makePlace();
    await place.program('docker-credential-vault', answers('u', 'canary'));
    const log = recordedLog();
    const env = {
      'INPUT_TARGET-PASSWORD': 'mine',
      TARGET_DOCKER_PASSWORD: 'mine',
      ACTIONS_RUNTIME_TOKEN: 'mine',
      AWS_PROFILE: 'theirs'
    };
    const config = {credsStore: 'vault', auths: {'one.example': {}}};
    expect(await find(place, 'one.example', config, {env}, log)).toEqual({
      kind: 'password',
      username: 'u',
      password: 'canary',
      from: `docker-credential-vault (named in ${join(place.home, '.docker', 'config.json')})`
    });
    const [call] = await place.calls('docker-credential-vault');
    expect(call).toMatchObject({
      argv: ['get'],
      stdin: 'one.example',
      env: {AWS_PROFILE: 'theirs', HOME: place.home}
    });
    expect(JSON.stringify(call)).not.toContain('mine');
    expect(log.secrets).toEqual(['canary', auth('u:canary')]);
    expect(log.lines.join('\n')).not.toContain('canary');
  });

  test("of a registry's own goes before the store for all, and that before the file", async () => {
    await using place = await makePlace();
    await place.program('docker-credential-vault', answers('store', 's'));
    await place.program('docker-credential-own', answers('<token>', 't'));
    const config = {
      credsStore: 'vault',
      credHelpers: {'https://one.example': 'own', 'one.example.evil': 'evil'},
      auths: {'two.example': {auth: auth('file:f')}}
    };
    expect(await find(place, 'one.example', config)).toMatchObject({
      kind: 'identity-token',
      token: 't'
    });
    expect(await find(place, 'two.example', config)).toMatchObject({username: 'store'});
    await find(place, 'docker.io', config);
    expect((await place.calls('docker-credential-vault')).map(({stdin}) => stdin)).toEqual([
      'two.example',
      'https://index.docker.io/v1/'
    ]);
  });

  test('that knows nothing leaves the file, and then nobody', async () => {
    await using place = await makePlace();
    await place.program('docker-credential-vault', knowsNothing);
    const config = {credsStore: 'vault', auths: {'https://one.example/v1/': {auth: auth('f:f')}}};
    expect(await find(place, 'one.example', config)).toMatchObject({username: 'f'});
    expect((await place.calls('docker-credential-vault')).map(({stdin}) => stdin)).toEqual([
      'one.example',
      'https://one.example/v1/'
    ]);
    expect(await find(place, 'two.example', config)).toMatchObject({kind: 'anonymous'});
  });

  test.each([
    ['is not there', undefined, 'docker-credential-vault is not on PATH'],
    ['fails', 'console.log("::error::locked\\n"); process.exit(1)', 'failed: : :error::locked'],
    ['fails without a word', 'process.exit(1)', 'failed: it said nothing'],
    [
      'fails after all',
      `${answers('u', 'canary')} process.exit(1)`,
      'no reason that could be shown'
    ],
    ['answers no JSON', 'console.log("canary")', 'did not answer in JSON'],
    ['answers something else', 'console.log("[]")', 'answered without Username and Secret']
  ])('that %s is an error where the config counts on it, else a warning', async (_, body, why) => {
    await using place = await makePlace();
    if (body !== undefined) await place.program('docker-credential-vault', body);
    const log = recordedLog();
    const config = {credsStore: 'vault', auths: {'one.example': {}}};
    const error: unknown = await find(place, 'one.example', config).catch(
      (thrown: unknown) => thrown
    );
    expect(error).toMatchObject({fault: 'unauthorized', message: expect.stringContaining(why)});
    expect((error as Error).message).not.toContain('canary');
    expect(await find(place, 'two.example', config, {}, log)).toMatchObject({kind: 'anonymous'});
    expect(log.lines.join('\n')).toContain(why);
    expect(log.lines.join('\n')).not.toContain('canary');
  });

  test.each(['../evil', 'a b', 'a;b', '$(x)', 'a/b', 'ä'])('named %s is never run', async name => {
    await using place = await makePlace();
    const config = {credHelpers: {'one.example': name}};
    await expect(find(place, 'one.example', config)).rejects.toThrow(
      'is not the name of a credential helper'
    );
  });
});

test('a key that is no registry stands for none', () => {
  expect(registryOfKey('')).toBeUndefined();
  expect(registryOfKey('ftp://one.example')).toBeUndefined();
  expect(registryOfKey('one.example/a/b')).toBeUndefined();
  expect(registryOfKey('[::1]:5000')).toBe('[::1]:5000');
});
