import {
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  stat,
  symlink,
  writeFile
} from 'node:fs/promises';
import {join} from 'node:path';

import {expect, test} from '@jest/globals';

import {type Account, signIn, type SignInOptions} from '../../src/docker/login.ts';
import {makePrivateConfig, removePrivateConfig} from '../../src/docker/private-config.ts';
import {parseRegistry} from '../../src/oci/reference.ts';
import {describeOnPosix, docker, keepsLogins, makePlace, type Place, recordedLog} from './fake.ts';

const canary = `ca"na$r%y'`;
const account: Account = {
  registry: parseRegistry('registry.example:5000'),
  username: 'me',
  password: canary
};
const never = new AbortController().signal;

function options(place: Place, more: Partial<SignInOptions> = {}): SignInOptions {
  return {
    accounts: [account],
    runnerTemp: place.temp,
    env: place.env,
    log: recordedLog(),
    signal: never,
    ...more
  };
}

/** Writes a docker config as a user has it, and hands back how to see whether it is the same still. */
async function userConfig(place: Place, text: string): Promise<() => Promise<boolean>> {
  const file = join(place.home, '.docker', 'config.json');
  await mkdir(join(place.home, '.docker'));
  await writeFile(file, text);
  const before = await stat(file);
  return async () => {
    const now = await stat(file);
    const names = await readdir(join(place.home, '.docker'));
    return (
      (await readFile(file, 'utf8')) === text &&
      now.ino === before.ino &&
      now.mtimeMs === before.mtimeMs &&
      names.length === 1
    );
  };
}

describeOnPosix('signing in', () => {
  test('goes through standard input, into a directory of its own that is gone afterwards', async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    const untouched = await userConfig(place, '{ "auths": {"other": {"auth": "b3RoZXI6"}} }\n');
    const log = recordedLog();
    const env = {
      ...place.env,
      'INPUT_TARGET-PASSWORD': canary,
      TARGET_DOCKER_PASSWORD: canary,
      GITHUB_TOKEN: canary
    };
    const told: string[] = [];
    const hub = {registry: parseRegistry('docker.io'), username: '-u', password: 'x'};
    {
      using session = await signIn(
        options(place, {
          env,
          log,
          accounts: [account, hub],
          onDirectory: path => {
            told.push(path);
          }
        })
      );
      const {configDirectory} = session;
      expect(told).toEqual([configDirectory]);
      expect((await stat(configDirectory)).mode & 0o777).toBe(0o700);
      expect((await stat(join(configDirectory, 'config.json'))).mode & 0o777).toBe(0o600);
      expect(session.client?.version).toBe('28.2.2');
      expect(session.answers).toEqual([
        {registry: 'registry.example:5000', outcome: 'accepted', reason: ''},
        {registry: 'docker.io', outcome: 'accepted', reason: ''}
      ]);
    }
    const [, one, other] = await place.calls();
    expect(one?.argv).toEqual([
      ...['login', '--username', 'me', '--password-stdin', 'registry.example:5000']
    ]);
    expect(other?.argv.at(-1)).toBe('https://index.docker.io/v1/');
    expect(one?.stdin).toBe(canary);
    for (const {argv, env: given} of await place.calls()) {
      expect(JSON.stringify([argv, given])).not.toContain(JSON.stringify(canary).slice(1, -1));
    }
    expect(log.lines.join('\n')).not.toContain(canary);
    expect(log.secrets).toEqual(
      expect.arrayContaining([canary, Buffer.from(`me:${canary}`).toString('base64')])
    );
    expect(await readdir(place.temp)).toEqual([]);
    expect(await untouched()).toBe(true);
  });

  test('of two runs at once does not disturb either', async () => {
    await using place = await makePlace();
    await place.program('docker', keepsLogins);
    const untouched = await userConfig(place, '{"auths":{}}');
    const other = {...account, username: 'you', password: 'second'};
    const sessions = await Promise.all([
      signIn(options(place)),
      signIn(options(place, {accounts: [other]}))
    ]);
    const [one, two] = await Promise.all(
      sessions.map(session => readFile(join(session.configDirectory, 'config.json'), 'utf8'))
    );
    expect(one).toContain(Buffer.from(`me:${canary}`).toString('base64'));
    expect(two).toContain(Buffer.from('you:second').toString('base64'));
    sessions[0][Symbol.dispose]();
    expect(await readdir(place.temp)).toHaveLength(1);
    sessions[1][Symbol.dispose]();
    expect(await readdir(place.temp)).toEqual([]);
    expect(await untouched()).toBe(true);
  });

  test('says where it could not be removed, and nothing worse', async () => {
    await using place = await makePlace();
    await place.program('docker', docker(''));
    const log = recordedLog();
    const session = await signIn(options(place, {log}));
    const away = join(place.directory, 'away');
    await rename(place.temp, away);
    await symlink(place.temp, place.temp);
    session[Symbol.dispose]();
    expect(log.lines.join('\n')).toMatch(/\/arcdata-mirror-docker-\S+ holds a login and .*ELOOP/);
  });

  const says = (text: string, code = 1) =>
    docker(`console.error(${JSON.stringify(text)}); process.exit(${code});`);

  test.each([
    [
      'Error response from daemon: login attempt to https://registry.example:5000/v2/ failed with status: 401 Unauthorized',
      'refused'
    ],
    [
      'Error response from daemon: Get "https://registry-1.docker.io/v2/": unauthorized: incorrect username or password',
      'refused'
    ],
    ['denied: requested access to the resource is denied', 'refused'],
    [
      'Error response from daemon: Get "https://h/v2/": x509: certificate signed by unknown authority',
      'unavailable'
    ],
    [
      'Error response from daemon: Get "https://h/v2/": dial tcp: lookup h: no such host',
      'unavailable'
    ],
    [
      'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock',
      'unavailable'
    ],
    ['Error saving credentials: open /x/config.json: permission denied', 'unavailable'],
    ['login attempt to https://h/v2/ failed with status: 503 Service Unavailable', 'unavailable'],
    ['something that nobody has seen before', 'unavailable'],
    // Words of both kinds: then nothing is said about the credentials.
    [
      'Error response from daemon: Get "https://h/v2/": unauthorized: dial tcp 10.0.0.1:443: i/o timeout',
      'unavailable'
    ],
    [
      'Error response from daemon: Get "https://h/v2/": denied: x509: certificate has expired',
      'unavailable'
    ],
    [
      'Error saving credentials: error storing credentials - err: exit status 1, out: `unauthorized`',
      'unavailable'
    ],
    [
      'login attempt to https://h/v2/ failed with status: 500 Internal Server Error: access forbidden',
      'unavailable'
    ]
  ])('answered with "%s" is %s', async (text, outcome) => {
    await using place = await makePlace();
    await place.program('docker', says(text));
    using session = await signIn(options(place));
    const [answer] = session.answers;
    expect(answer?.outcome).toBe(outcome);
    expect(answer?.reason).toContain('docker login failed (exit code 1): ');
  });

  test.each([
    ['unauthorized.example', 'answered with something else', 'unavailable'],
    ['denied.example:443', 'Get "https://denied.example:443/v2/": EOF', 'unavailable'],
    ['timeout.example', 'Get "https://timeout.example/v2/": unauthorized', 'refused'],
    ['certificate.example', 'denied: requested access at certificate.example', 'refused']
  ] as const)("of %s, answered with '%s', is %s: its name says nothing", async (...row) => {
    const [host, text, outcome] = row;
    await using place = await makePlace();
    await place.program('docker', says(`${host}: ${text}`));
    const accounts = [{...account, registry: parseRegistry(host)}];
    using session = await signIn(options(place, {accounts}));
    expect(session.answers.map(answer => answer.outcome)).toEqual([outcome]);
  });

  test('that ends with an error and says nothing has not succeeded', async () => {
    await using place = await makePlace();
    await place.program('docker', docker('process.exit(1)'));
    using session = await signIn(options(place));
    expect(session.answers).toEqual([
      {
        registry: account.registry,
        outcome: 'unavailable',
        reason: 'docker login failed (exit code 1): it said nothing'
      }
    ]);
  });

  test('tells why without secrets and without workflow commands', async () => {
    await using place = await makePlace();
    const basic = Buffer.from(`me:${canary}`).toString('base64');
    await place.program(
      'docker',
      docker(
        `console.error('::error::x\\n##[add-mask]y\\u001b[2J ' + stdin + ' ${basic}'); process.exit(1);`
      )
    );
    using session = await signIn(options(place));
    const reason = session.answers[0]?.reason ?? '';
    expect(reason).not.toMatch(/^\s*::|##\[|\p{Cc}/u);
    expect(reason).not.toContain(canary);
    expect(reason).not.toContain(basic);
  });

  test('that hangs is given up', async () => {
    await using place = await makePlace();
    await place.program('docker', docker('setInterval(() => undefined, 1000)'));
    using session = await signIn(options(place, {timeout: 1_000}));
    expect(session.answers[0]).toMatchObject({
      outcome: 'unavailable',
      reason: expect.stringContaining('did not end within 1 s')
    });
  });

  test('is unavailable without docker, with one too old, and with a stand-in', async () => {
    await using place = await makePlace();
    const reason = async () => {
      using session = await signIn(options(place));
      expect(session).toMatchObject({client: undefined, answers: [{outcome: 'unavailable'}]});
      return session.answers[0]?.reason;
    };
    expect(await reason()).toBe('there is no docker client on PATH');
    const path = await place.program('docker', docker('', 'Docker version 19.03.15, build x'));
    expect(await reason()).toBe(`docker 19.03.15 at ${path} is too old: 20.10 or newer is wanted`);
    await place.program('docker', docker('', 'podman version 4.9.3'));
    expect(await reason()).toContain('it said "podman version 4.9.3"');
    await place.program('docker', 'process.exit(126)');
    expect(await reason()).toContain('it said "it said nothing"');
  });

  test('leaves nothing behind when it is cancelled', async () => {
    await using place = await makePlace();
    await place.program('docker', docker('setInterval(() => undefined, 1000)'));
    const abort = new AbortController();
    setTimeout(() => {
      abort.abort(new Error('cancelled'));
    }, 500);
    await expect(signIn(options(place, {signal: abort.signal}))).rejects.toThrow('cancelled');
    expect(await readdir(place.temp)).toEqual([]);
  });
});

describeOnPosix('a private config', () => {
  test('takes the context of the job over, and no helper, login or header', async () => {
    await using place = await makePlace();
    const store = join(place.home, '.docker', 'contexts');
    await mkdir(join(store, 'meta'), {recursive: true});
    await writeFile(
      join(place.home, '.docker', 'config.json'),
      JSON.stringify({
        auths: {a: {auth: 'eDp5'}},
        credsStore: 'desktop',
        HttpHeaders: {X: canary},
        currentContext: 'colima'
      })
    );
    const directory = await makePrivateConfig({runnerTemp: place.temp, env: place.env});
    expect(JSON.parse(await readFile(join(directory, 'config.json'), 'utf8'))).toEqual({
      // Without any entry docker would choose a helper by itself.
      auths: {'arcdata-mirror.invalid': {}},
      currentContext: 'colima'
    });
    expect(await readlink(join(directory, 'contexts'))).toBe(store);
    expect(removePrivateConfig(directory, place.temp)).toBe(true);
    expect(await readdir(store)).toEqual(['meta']);
    expect(removePrivateConfig(directory, place.temp)).toBe(true);
  });

  test('cannot be made where nothing can be written', async () => {
    await using place = await makePlace();
    await expect(
      makePrivateConfig({runnerTemp: join(place.temp, 'missing'), env: place.env})
    ).rejects.toMatchObject({name: 'DockerError', fault: 'config'});
  });

  test('is all that is ever removed', async () => {
    await using place = await makePlace();
    const name = `arcdata-mirror-docker-${'0'.repeat(32)}`;
    const others = [
      place.home,
      place.temp,
      join(place.home, name),
      join(place.temp, 'arcdata-mirror-docker-x'),
      join(place.temp, name, '..', '..', 'home'),
      join(place.temp, 'link', name),
      ''
    ];
    await mkdir(join(place.home, name));
    await mkdir(join(place.temp, 'arcdata-mirror-docker-x'));
    await symlink(place.home, join(place.temp, 'link'));
    for (const path of others) expect(removePrivateConfig(path, place.temp)).toBe(false);
    await symlink(place.home, join(place.temp, name));
    expect(removePrivateConfig(join(place.temp, name), place.temp)).toBe(false);
    expect((await lstat(join(place.temp, name))).isSymbolicLink()).toBe(true);
    expect(await readdir(place.home)).toEqual([name]);
  });
});
