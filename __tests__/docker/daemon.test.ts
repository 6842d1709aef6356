import {execFile} from 'node:child_process';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {mkdir, readdir, readFile, writeFile} from 'node:fs/promises';
import {type AddressInfo, connect, createServer} from 'node:net';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {gzipSync} from 'node:zlib';

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';

import {askDaemon, checkSpace, freeSpace} from '../../src/docker/daemon.ts';
import {fateOf, mirrorImageByDocker} from '../../src/docker/engine.ts';
import {findDocker} from '../../src/docker/find.ts';
import {inspect} from '../../src/docker/image.ts';
import {type KeptLogin, undoKeptLogin} from '../../src/docker/kept-login.ts';
import {type Account, signIn} from '../../src/docker/login.ts';
import {silent} from '../../src/log.ts';
import {parseDigest} from '../../src/oci/digest.ts';
import {parseRegistry} from '../../src/oci/reference.ts';
import {type Certificates, makeCertificates} from '../support/certificates.ts';
import {
  type Distribution,
  distributionInstalled,
  startDistribution
} from '../support/distribution.ts';
import {type Dockerd, dockerdInstalled, startDockerd} from '../support/dockerd.ts';
import {makePlace, type Place, recordedLog} from './fake.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const canary = `ca"na$r%y' x`;
const loopback = (name: string) => parseRegistry(name, () => true);
// Whether one starts here is only known once that was tried.
const tried = dockerdInstalled() && distributionInstalled() ? await startDockerd() : undefined;
const wanted = tried === undefined ? describe.skip : describe;
const schema2 = 'application/vnd.docker.distribution.manifest.v2+json';
// Which one docker looks for depends on the system.
const stores = ['secretservice', 'pass', 'osxkeychain', 'wincred'];
const list = 'application/vnd.docker.distribution.manifest.list.v2+json';

/** Puts bytes into a registry, as a blob or a manifest, and hands back their descriptor. */
async function put(
  url: string,
  repository: string,
  bytes: Buffer,
  mediaType: string,
  tag?: string
) {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const base = `${url}/v2/${repository}`;
  let to = `${base}/manifests/${tag ?? digest}`;
  if (!mediaType.includes('manifest')) {
    const opened = await fetch(`${base}/blobs/uploads/`, {method: 'POST'});
    to = `${opened.headers.get('location') ?? ''}&digest=${digest}`;
  }
  const done = await fetch(to, {
    method: 'PUT',
    headers: {'Content-Type': mediaType},
    body: new Uint8Array(bytes)
  });
  expect([to, done.status]).toEqual([to, 201]);
  return {mediaType, size: bytes.length, digest: parseDigest(digest)};
}

/** An image of one small layer, compressed as Go's gzip would not do it. */
async function seed(url: string, repository: string, architecture: string) {
  const home = await makePlace();
  await writeFile(join(home.home, 'file'), `${architecture} ${'text '.repeat(500)}`);
  const tarball = join(home.directory, 'layer.tar');
  await run('tar', ['-cf', tarball, '-C', home.home, 'file']);
  const tar = await readFile(tarball);
  await home[Symbol.asyncDispose]();
  const diff = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
  const config = {
    ...{architecture, os: 'linux', config: {Cmd: ['/file']}},
    rootfs: {type: 'layers', diff_ids: [diff]}
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: schema2,
    config: await put(
      ...([url, repository, Buffer.from(JSON.stringify(config))] as const),
      'application/vnd.docker.container.image.v1+json'
    ),
    layers: [
      await put(
        ...([url, repository, gzipSync(tar, {level: 1})] as const),
        'application/vnd.docker.image.rootfs.diff.tar.gzip'
      )
    ]
  };
  return await put(url, repository, Buffer.from(JSON.stringify(manifest)), schema2);
}

wanted('with a real daemon', () => {
  let daemon: Dockerd;
  let open: Distribution;
  let locked: Distribution;
  let secure: Distribution;
  let certificates: Certificates;
  let place: Place;
  let env: Record<string, string>;

  beforeAll(async () => {
    certificates = await makeCertificates();
    const htpasswd = {username: 'me', password: canary};
    const started = await Promise.all([
      startDistribution(),
      startDistribution({htpasswd}),
      startDistribution({htpasswd, tls: certificates})
    ]);
    if (tried !== undefined) daemon = tried;
    [open, locked, secure] = started as [Distribution, Distribution, Distribution];
    place = await makePlace();
    env = {PATH: process.env.PATH ?? '', HOME: place.home, DOCKER_HOST: daemon.host};
  }, 60_000);

  afterAll(async () => {
    for (const one of [daemon, open, locked, secure, certificates, place]) {
      await one[Symbol.asyncDispose]();
    }
  }, 60_000);

  const session = (accounts: readonly Account[], more = {}) =>
    signIn({accounts, runnerTemp: place.temp, env, log: recordedLog(), signal: never, ...more});
  const account = (host: string, password = canary): Account => ({
    registry: loopback(host),
    username: 'me',
    password
  });

  test('the right password is accepted, a wrong one refused, a registry out of reach no answer', async () => {
    await mkdir(join(place.home, '.docker'), {recursive: true});
    const file = join(place.home, '.docker', 'config.json');
    await writeFile(file, '{ "auths": {} }');
    {
      using signedIn = await session([
        account(locked.host),
        account(locked.host, 'wrong'),
        // A daemon takes any certificate from loopback.
        account(secure.host),
        account('127.0.0.1:1')
      ]);
      expect(signedIn.answers.map(({outcome}) => outcome)).toEqual([
        ...['accepted', 'refused', 'accepted', 'unavailable']
      ]);
      expect(signedIn.answers[1]?.reason).toMatch(/401|unauthorized/i);
      expect(signedIn.answers[3]?.reason).toContain('connection refused');
      const config = await readFile(join(signedIn.configDirectory, 'config.json'), 'utf8');
      expect(JSON.parse(config)).toMatchObject({auths: {[locked.host]: {}}});
      expect(JSON.stringify(signedIn.answers)).not.toContain('ca"na');
    }
    expect(await readFile(file, 'utf8')).toBe('{ "auths": {} }');
    expect(await readdir(join(place.home, '.docker'))).toEqual(['config.json']);
    expect(await readdir(place.temp)).toEqual([]);
  }, 60_000);

  test('a kept login is there for later steps, and leaves no trace', async () => {
    const file = join(place.home, '.docker', 'config.json');
    const before = '{"auths": {}, "psFormat": "x"}';
    await mkdir(join(place.home, '.docker'), {recursive: true});
    await writeFile(file, before);
    let state: KeptLogin | undefined;
    const onKeptLogin = (kept: KeptLogin) => {
      state = kept;
    };
    (await session([account(locked.host)], {keepLogin: true, onKeptLogin}))[Symbol.dispose]();
    expect(await readFile(file, 'utf8')).toContain(Buffer.from(`me:${canary}`).toString('base64'));
    const undo = {runnerTemp: place.temp, env, log: silent, signal: never};
    await undoKeptLogin(state as unknown as KeptLogin, undo);
    expect(await readFile(file, 'utf8')).toBe(before);
    expect(await readdir(place.temp)).toEqual([]);
  }, 60_000);

  test('a kept login leaves no trace either where docker chooses a store by itself', async () => {
    await using other = await makePlace();
    const vault = join(other.directory, 'vault.json');
    const helper = `const file = ${JSON.stringify(vault)};
const held = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
const none = () => { console.log('credentials not found in native keychain'); process.exit(1); };
if (args[0] === 'get') console.log(JSON.stringify(held[stdin.trim()] ?? none()));
if (args[0] === 'store') held[JSON.parse(stdin).ServerURL] = JSON.parse(stdin);
if (args[0] === 'erase') delete held[stdin.trim()];
fs.writeFileSync(file, JSON.stringify(held));`;
    for (const store of stores) await other.program(`docker-credential-${store}`, helper);
    const around = {...env, HOME: other.home, PATH: `${other.env.PATH ?? ''}:${env.PATH ?? ''}`};
    let state: KeptLogin | undefined;
    const onKeptLogin = (kept: KeptLogin) => {
      state = kept;
    };
    const more = {env: around, keepLogin: true, onKeptLogin};
    (await session([account(locked.host)], more))[Symbol.dispose]();
    expect(await readFile(vault, 'utf8')).toContain(locked.host);
    const undo = {runnerTemp: place.temp, env: around, log: silent, signal: never};
    await undoKeptLogin(state as unknown as KeptLogin, undo);
    expect(await readFile(vault, 'utf8')).toBe('{}');
    expect(await readdir(join(other.home, '.docker'))).toEqual([]);
  }, 60_000);

  test('a login stays out of the stores that docker would choose by itself', async () => {
    await using other = await makePlace();
    for (const store of stores) await other.program(`docker-credential-${store}`, '');
    const path = `${other.env.PATH ?? ''}:${env.PATH ?? ''}`;
    using signedIn = await session([account(locked.host)], {env: {...env, PATH: path}});
    expect(signedIn.answers).toMatchObject([{outcome: 'accepted'}]);
    for (const store of stores) expect(await other.calls(`docker-credential-${store}`)).toEqual([]);
  }, 60_000);

  test('a daemon that is not there is no answer about the credentials', async () => {
    const elsewhere = {...env, DOCKER_HOST: `unix://${place.directory}/none`};
    using signedIn = await session([account(locked.host, 'wrong')], {env: elsewhere});
    // Newer clients then sign in by themselves and may know better.
    expect(['unavailable', 'refused']).toContain(signedIn.answers[0]?.outcome);
    const client = await findDocker({env, log: silent, signal: never});
    const docker = client?.path ?? '';
    await expect(
      askDaemon({docker, env: elsewhere, log: silent, signal: never})
    ).rejects.toMatchObject({name: 'DockerError', fault: 'daemon'});
  }, 60_000);

  test('the disk of a daemon that a context names is looked at only where it is this machine’s', async () => {
    const bridge = createServer(socket => {
      const other = connect(daemon.host.slice('unix://'.length));
      socket.on('error', () => undefined).pipe(other);
      other.on('error', () => undefined).pipe(socket);
    });
    bridge.listen(0, '127.0.0.1');
    await once(bridge, 'listening');
    const {port} = bridge.address() as AddressInfo;
    try {
      const {DOCKER_HOST: here = '', ...others} = env;
      for (const [context, host] of [
        ['away', `tcp://127.0.0.1:${port}`],
        ['here', here]
      ] as const) {
        const create = ['context', 'create', context, '--docker', `host=${host}`];
        await run('docker', create, {env: others});
        const around = {...others, DOCKER_CONTEXT: context};
        using signedIn = await session([], {env: around});
        const {client, configDirectory} = signedIn;
        const call = {docker: client?.path ?? '', configDirectory, env: around, log: silent};
        const info = await askDaemon({...call, signal: never});
        expect(info).toMatchObject({host, dataRoot: daemon.root});
        const free = await freeSpace(info, around);
        expect(free === undefined).toBe(context === 'away');
      }
    } finally {
      bridge.close();
    }
  }, 60_000);

  test('an image travels, and nothing of it stays', async () => {
    using signedIn = await session([account(locked.host)]);
    const docker = signedIn.client?.path ?? '';
    const {configDirectory} = signedIn;
    const call = {docker, configDirectory, env, log: silent, signal: never, timeout: 60_000};
    const info = await askDaemon(call);
    expect(info).toMatchObject({dataRoot: daemon.root});
    await checkSpace(1, info, env);
    await expect(checkSpace(2 ** 60, info, env)).rejects.toMatchObject({fault: 'space'});

    const {digest} = await seed(open.url, 'arcdata/arc-dns', 'amd64');
    const source = {registry: loopback(open.host), repository: 'arcdata/arc-dns', digest};
    const target = {registry: loopback(locked.host), repository: 'mirror/arc-dns'};
    const tagged = {...target, tag: 'v1.0.0_2021-07-30'};
    const mirrored = await mirrorImageByDocker({...call, source, target: tagged});
    expect(mirrored.platform).toBe('linux/amd64');
    const fate = info.store === 'containerd' ? 'kept' : 'rewritten';
    expect(fateOf({digest}, mirrored.digest).fate).toBe(fate);
    const there = await fetch(`${locked.url}/v2/mirror/arc-dns/manifests/${tagged.tag}`, {
      method: 'HEAD',
      headers: {
        Accept: schema2,
        Authorization: `Basic ${Buffer.from(`me:${canary}`).toString('base64')}`
      }
    });
    expect(there.headers.get('docker-content-digest')).toBe(mirrored.digest);
    expect(await images()).toBe('');
  }, 120_000);

  test('of an index one platform travels', async () => {
    using signedIn = await session([account(locked.host)]);
    const docker = signedIn.client?.path ?? '';
    const repository = 'arcdata/arc-index';
    const manifests = await Promise.all(
      ['amd64', 'arm64'].map(async architecture => ({
        ...(await seed(open.url, repository, architecture)),
        platform: {os: 'linux', architecture}
      }))
    );
    const index = JSON.stringify({schemaVersion: 2, mediaType: list, manifests});
    const {digest} = await put(open.url, repository, Buffer.from(index), list);
    const mirrored = await mirrorImageByDocker({
      ...{docker, configDirectory: signedIn.configDirectory, env, log: silent, signal: never},
      source: {registry: loopback(open.host), repository, digest},
      target: {registry: loopback(locked.host), repository: 'mirror/arc-index', tag: 'v1'},
      platform: 'linux/arm64',
      timeout: 60_000
    });
    expect(mirrored.platform).toBe('linux/arm64');
    const info = await askDaemon({docker, env, log: silent, signal: never});
    const root = {digest, children: manifests.map(({digest: child}) => ({digest: child}))};
    const fate = info.store === 'containerd' ? 'one-platform' : 'rewritten';
    expect(fateOf(root, mirrored.digest).fate).toBe(fate);
    expect(await images()).toBe('');
  }, 120_000);

  test('what fails is told of and removed; what the daemon had before stays', async () => {
    using signedIn = await session([]);
    const docker = signedIn.client?.path ?? '';
    const log = recordedLog();
    const call = {
      ...{docker, configDirectory: signedIn.configDirectory, env, log, signal: never},
      timeout: 60_000
    };
    const {digest} = await seed(open.url, 'arcdata/arc-late', 'amd64');
    const source = {registry: loopback(open.host), repository: 'arcdata/arc-late', digest};
    const target = {registry: loopback(locked.host), repository: 'mirror/late', tag: 'v1'};
    // Signed in to nothing: the pull is good, the push is not.
    await expect(mirrorImageByDocker({...call, source, target})).rejects.toMatchObject({
      fault: 'registry',
      message: expect.stringMatching(
        /^docker push .*(?:no basic auth credentials|unauthorized|denied)/
      )
    });
    expect(await images()).toBe('');
    const missing = {...source, digest: parseDigest(`sha256:${'0'.repeat(64)}`)};
    await expect(mirrorImageByDocker({...call, source: missing, target})).rejects.toMatchObject({
      fault: 'registry',
      message: expect.stringContaining('docker pull ')
    });

    const had = `${open.host}/arcdata/arc-late@${digest}`;
    const name = `${locked.host}/mirror/late:v1`;
    await run(docker, ['-H', daemon.host, 'pull', had]);
    await run(docker, ['-H', daemon.host, 'tag', had, name]);
    const before = await images();
    await expect(mirrorImageByDocker({...call, source, target})).rejects.toThrow('docker push');
    expect(await images()).toBe(before);
    expect((await inspect(name, call))?.repoDigests).toEqual([had]);
    expect(log.lines.join('\n')).not.toContain('is still at the docker daemon');
  }, 120_000);

  test('what the daemon had from the target by its digest stays', async () => {
    using signedIn = await session([account(locked.host)]);
    const docker = signedIn.client?.path ?? '';
    const {digest} = await seed(open.url, 'arcdata/arc-again', 'amd64');
    const log = recordedLog();
    const options = {
      ...{docker, configDirectory: signedIn.configDirectory, env, log, signal: never},
      source: {registry: loopback(open.host), repository: 'arcdata/arc-again', digest},
      target: {registry: loopback(locked.host), repository: 'mirror/arc-again', tag: 'v1'},
      timeout: 60_000
    };
    const {digest: pushed} = await mirrorImageByDocker(options);
    const pull = ['-H', daemon.host, 'pull', `${locked.host}/mirror/arc-again@${pushed}`];
    await run(docker, ['--config', signedIn.configDirectory, ...pull]);
    const before = await images();
    expect(before).toContain(pushed);
    expect((await mirrorImageByDocker(options)).digest).toBe(pushed);
    expect(await images()).toBe(before);
    expect(log.lines.join('\n')).not.toContain('has it no longer');
    await run(docker, ['-H', daemon.host, 'image', 'rm', pull.at(-1) ?? '']);
  }, 120_000);

  /** A line each, sorted: docker has those of one second in any order. */
  async function images(): Promise<string> {
    const format = ['--format', '{{.Repository}} {{.Tag}} {{.Digest}} {{.ID}}'];
    const all = ['-H', daemon.host, 'images', '--all', '--digests', ...format];
    return (await run('docker', all)).stdout.trim().split('\n').sort().join('\n');
  }
});
