import {expect, test} from '@jest/globals';

import {askDaemon, checkSpace, type DaemonInfo, freeSpace} from '../../src/docker/daemon.ts';
import {fateOf, mirrorImageByDocker} from '../../src/docker/engine.ts';
import {parseDigest} from '../../src/oci/digest.ts';
import {parseRegistry} from '../../src/oci/reference.ts';
import {until} from '../support/step.ts';
import {describeOnPosix, docker, makePlace, type Place, recordedLog} from './fake.ts';

const never = new AbortController().signal;
const digestOf = (character: string) => parseDigest(`sha256:${character.repeat(64)}`);
const info: DaemonInfo = {
  version: '28.2.2',
  store: 'classic',
  driver: 'overlay2',
  dataRoot: '/'
};

test('the digest that arrived tells what became of the image', () => {
  const root = {
    digest: digestOf('a'),
    children: [{digest: digestOf('b'), platform: 'linux/amd64'}, {digest: digestOf('c')}]
  };
  expect(fateOf(root, digestOf('a'))).toEqual({fate: 'kept'});
  expect(fateOf(root, digestOf('b'))).toEqual({fate: 'one-platform', platform: 'linux/amd64'});
  expect(fateOf(root, digestOf('c'))).toEqual({fate: 'one-platform'});
  expect(fateOf(root, digestOf('d'))).toEqual({fate: 'rewritten'});
  expect(fateOf({digest: digestOf('a')}, digestOf('b'))).toEqual({fate: 'rewritten'});
});

test('free space is known of a daemon on this machine only', async () => {
  expect(await freeSpace(info, {})).toBeGreaterThan(0);
  expect(await freeSpace(info, {DOCKER_HOST: 'unix:///x'})).toBeGreaterThan(0);
  expect(await freeSpace(info, {DOCKER_HOST: 'tcp://remote:2376'})).toBeUndefined();
  expect(await freeSpace({...info, host: 'unix:///x'}, {})).toBeGreaterThan(0);
  expect(await freeSpace({...info, host: 'ssh://remote'}, {})).toBeUndefined();
  expect(await freeSpace({...info, dataRoot: '/not/here'}, {})).toBeUndefined();
  await checkSpace(2 ** 60, info, {DOCKER_HOST: 'ssh://remote'});
  await expect(checkSpace(2 ** 60, info, {})).rejects.toMatchObject({
    fault: 'space',
    message: expect.stringMatching(/needs \d+ bytes in \/, and \d+ are free/),
    advice: expect.stringContaining('engine: registry')
  });
});

describeOnPosix('the daemon, asked about itself', () => {
  const ask = async (answer: unknown, code = 0) => {
    await using place = await makePlace();
    const path = await place.program(
      'docker',
      docker(`console.log(${JSON.stringify(JSON.stringify(answer))}); process.exit(${code});`)
    );
    return await askDaemon({docker: path, env: place.env, log: recordedLog(), signal: never});
  };

  test('tells its store and its disk', async () => {
    const told = {
      ServerVersion: '29.1.0',
      Driver: 'overlayfs',
      DockerRootDir: '/var/lib/docker'
    };
    expect(await ask({...told, DriverStatus: [['Backing Filesystem', 'extfs']]})).toEqual({
      version: '29.1.0',
      store: 'classic',
      driver: 'overlayfs',
      dataRoot: '/var/lib/docker'
    });
    const status = [['driver-type', 'io.containerd.snapshotter.v1']];
    expect((await ask({...told, DriverStatus: status})).store).toBe('containerd');
  });

  test('is not there when it tells of errors, of nothing, or nonsense', async () => {
    const down = {ServerErrors: ['Cannot connect to the Docker daemon at unix:///x'], Driver: ''};
    await expect(ask(down)).rejects.toMatchObject({fault: 'daemon'});
    await expect(ask(down, 1)).rejects.toMatchObject({fault: 'daemon'});
    await expect(ask({})).rejects.toMatchObject({fault: 'daemon'});
    await expect(ask('nonsense')).rejects.toMatchObject({fault: 'failed'});
  });
});

describeOnPosix('an image through the daemon', () => {
  const source = {
    registry: parseRegistry('mcr.example'),
    repository: 'arcdata/arc-dns',
    digest: digestOf('a')
  };
  const target = {
    registry: parseRegistry('target.example'),
    repository: 'mirror/arc-dns',
    tag: 'v1'
  };
  const sourceName = `mcr.example/arcdata/arc-dns@${digestOf('a')}`;

  /** A daemon that has what it pulled; `push` is what it does then. */
  const daemon = (push: string, had = false, alsoNamed: readonly string[] = []) =>
    docker(`
const state = env.HOME + '/pulled';
const name = args.at(-1);
if (args[0] === 'image' && args[1] === 'inspect') {
  if (!(${JSON.stringify(had)} || fs.existsSync(state)) || !name.startsWith('mcr')) { console.error('Error: No such image: ' + name); process.exit(1); }
  console.log(JSON.stringify({Id: 'sha256:1', Size: 1234, RepoDigests: [name, ...${JSON.stringify(alsoNamed)}], Os: 'linux', Architecture: 'amd64', RootFS: {Layers: ['sha256:one', 'sha256:two', 'sha256:three']}}));
} else if (args[0] === 'pull') fs.writeFileSync(state, '');
else if (args[0] === 'push') { ${push} }`);

  const mirror = async (
    push: string,
    options: {
      signal?: AbortSignal;
      timeout?: number;
      had?: boolean;
      to?: typeof target;
      /** Names by digest that the image has beside the source's. */
      alsoNamed?: readonly string[];
      /** Done while the image is on its way. */
      meanwhile?: (place: Place) => Promise<void>;
    } = {}
  ) => {
    await using place = await makePlace();
    const path = await place.program('docker', daemon(push, options.had, options.alsoNamed));
    const log = recordedLog();
    const mirroring: Promise<unknown> = mirrorImageByDocker({
      ...{docker: path, configDirectory: place.temp, env: place.env, log, source},
      target: options.to ?? target,
      signal: options.signal ?? never,
      timeout: options.timeout ?? 20_000
    }).catch((error: unknown) => error);
    await options.meanwhile?.(place);
    const result = await mirroring;
    const calls = await place.calls();
    return {result, log, calls, commands: calls.map(({argv}) => argv.join(' '))};
  };
  const layers = ['Preparing', 'Waiting', 'Pushed'].map(word => `111111111111: ${word}`);
  const said = [
    ...layers,
    '222222222222: Mounted from mirror/arc-sqlmi',
    '333333333333: Layer already exists',
    `v1: digest: ${digestOf('b')} size: 99`
  ].join('\\n');
  const good = `console.log('${said}');`;

  test('is pulled by digest, named, pushed, and every name of it removed', async () => {
    const {result, commands, calls} = await mirror(good);
    expect(result).toEqual({
      digest: digestOf('b'),
      platform: 'linux/amd64',
      diffIds: ['sha256:one', 'sha256:two', 'sha256:three'],
      ways: new Map([
        ['111111111111', 'copied'],
        ['222222222222', 'mounted'],
        ['333333333333', 'present']
      ])
    });
    expect(commands.filter(command => !command.includes('inspect'))).toEqual([
      `pull ${sourceName}`,
      `tag ${sourceName} target.example/mirror/arc-dns:v1`,
      'push target.example/mirror/arc-dns:v1',
      `image rm target.example/mirror/arc-dns@${digestOf('b')}`,
      'image rm target.example/mirror/arc-dns:v1',
      `image rm ${sourceName}`
    ]);
    expect(new Set(calls.map(({env}) => env.DOCKER_CONFIG)).size).toBe(1);
  });

  test('that was there before is left there', async () => {
    const {commands} = await mirror(good, {had: true});
    expect(commands).not.toContain(`image rm ${sourceName}`);
    expect(commands).toContain('image rm target.example/mirror/arc-dns:v1');
  });

  test('that had the name of what was pushed before keeps it, also where docker writes it shorter', async () => {
    const to = {registry: parseRegistry('docker.io'), repository: 'library/arc-dns', tag: 'v1'};
    const name = `arc-dns@${digestOf('b')}`;
    const pushed = `docker.io/library/${name}`;
    const {commands} = await mirror(good, {to, alsoNamed: [name]});
    expect(commands).toContain('image rm docker.io/library/arc-dns:v1');
    expect(commands).not.toContain(`image rm ${pushed}`);
    const without = await mirror(good, {to});
    expect(without.commands).toContain(`image rm ${pushed}`);
  });

  test.each([
    [
      'fails late',
      `console.log('v1: digest: ${digestOf('b')} size: 99'); process.exit(1)`,
      /failed \(exit code 1\)/
    ],
    ['fails without a word', 'process.exit(1)', /it said nothing/],
    ['tells no digest', `console.log('done')`, /told no digest/],
    [
      'tells the digest of another tag',
      `console.log('v2: digest: ${digestOf('b')} size: 99')`,
      /told no digest/
    ],
    [
      'says workflow commands',
      String.raw`console.error('::error::x\n##[set-output name=y]z'); process.exit(1)`,
      /^docker push [^\n]*: : :error::x ## \[set-output/
    ]
  ])('whose push %s is a failure, and nothing stays', async (_, push, message) => {
    const {result, commands} = await mirror(push);
    expect(result).toMatchObject({name: 'DockerError', message: expect.stringMatching(message)});
    expect(commands.slice(-2)).toEqual([
      'image rm target.example/mirror/arc-dns:v1',
      `image rm ${sourceName}`
    ]);
  });

  const hangs = 'setInterval(() => undefined, 1000)';

  test('whose push hangs is given up, and nothing stays', async () => {
    // Time enough for the commands before: each of them starts a Node.
    const {result, commands} = await mirror(hangs, {timeout: 5_000});
    expect(result).toMatchObject({fault: 'timeout'});
    expect(commands).toContain('push target.example/mirror/arc-dns:v1');
    expect(commands.at(-1)).toBe(`image rm ${sourceName}`);
  });

  test('that is cancelled is removed all the same', async () => {
    const abort = new AbortController();
    const meanwhile = async (place: Place) => {
      await until('the push is under way', async () =>
        (await place.calls()).some(({argv}) => argv[0] === 'push')
      );
      abort.abort(new Error('cancelled'));
    };
    const {result, commands} = await mirror(hangs, {signal: abort.signal, meanwhile});
    expect((result as Error).message).toBe('cancelled');
    expect(commands).toContain('push target.example/mirror/arc-dns:v1');
    expect(commands.at(-1)).toBe(`image rm ${sourceName}`);
  });

  test('that cannot be removed is told of', async () => {
    const {result, log} = await mirror(
      `${good} fs.writeFileSync(process.argv[1], '#!/bin/false\\n');`
    );
    expect(result).toMatchObject({digest: digestOf('b')});
    expect(log.lines.filter(line => line.includes('is still at the docker daemon'))).toHaveLength(
      3
    );
  });
});
