import {execFile} from 'node:child_process';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {existsSync} from 'node:fs';
import {mkdir, readdir, readFile, writeFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {afterEach, beforeEach, expect, jest, test} from '@jest/globals';

import {installDocker, type InstallOptions} from '../../src/docker/install.ts';
import {signIn} from '../../src/docker/login.ts';
import {buildFor, type Pin} from '../../src/docker/pins.ts';
import {parseRegistry} from '../../src/oci/reference.ts';
import {until} from '../support/step.ts';
import {describeOnPosix, docker, makePlace, type Place, recordedLog} from './fake.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const given = process.env;
const version = '29.6.2';
const nowhere = 'http://nowhere.invalid';
const archivePath = '/mirror/linux/static/stable/x86_64/docker-29.6.2.tgz';

// The tool cache reads its places from the environment, and waits before it asks again.
beforeEach(() => {
  // The toolkit tells of its waiting by itself.
  jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  process.env = {...given};
  Object.assign(global, {
    TEST_DOWNLOAD_TOOL_RETRY_MIN_SECONDS: 0,
    TEST_DOWNLOAD_TOOL_RETRY_MAX_SECONDS: 0
  });
});
afterEach(() => {
  process.env = given;
});

/** A download site on loopback that serves `files` by path. */
async function site(files: ReadonlyMap<string, Buffer>) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const file = files.get(request.url ?? '');
    response.writeHead(file === undefined ? 404 : 200).end(file);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mirror`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    }
  };
}

/** An archive such as Docker's, around a fake client and a daemon that nobody wants. */
async function archive(place: Place, body = docker('')): Promise<Buffer> {
  const client = await place.program('docker', body);
  const directory = join(place.directory, 'archive', 'docker');
  await mkdir(directory, {recursive: true});
  await run('mv', [client, join(directory, 'docker')]);
  await writeFile(join(directory, 'dockerd'), 'unwanted');
  const file = join(place.directory, 'archive.tgz');
  await run('tar', ['-czf', file, '-C', join(place.directory, 'archive'), 'docker']);
  return await readFile(file);
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

function install(place: Place, options: InstallOptions) {
  process.env.RUNNER_TEMP = place.temp;
  process.env.RUNNER_TOOL_CACHE = join(place.directory, 'tools');
  return installDocker({
    platform: 'linux',
    arch: 'x64',
    ...options,
    log: recordedLog(),
    signal: never
  });
}

describeOnPosix('V18 installing docker', () => {
  test('downloads, checks, and takes the client alone out of the archive; once', async () => {
    await using place = await makePlace();
    const bytes = await archive(place);
    await using downloads = await site(new Map([[archivePath, bytes]]));
    process.env['INPUT_TARGET-PASSWORD'] = 'canary';
    const pin = {version: '29.6.2', sha256: sha256(bytes)};
    const options = {pin, downloadUrl: downloads.url};
    const client = await install(place, options);
    expect(client.version).toBe('28.2.2');
    expect(client.path.startsWith(join(place.directory, 'tools'))).toBe(true);
    expect(await readdir(join(client.path, '..'))).toEqual(['docker']);
    expect(await readdir(place.temp)).toEqual([]);
    expect(await install(place, options)).toEqual(client);
    expect(downloads.asked).toEqual([archivePath]);
    expect(JSON.stringify(await place.calls())).not.toContain('canary');
  });

  test('refuses a download with another checksum, says both, and keeps none of it', async () => {
    await using place = await makePlace();
    const bytes = await archive(place);
    await using downloads = await site(new Map([[archivePath, bytes]]));
    const pinned = buildFor('linux', 'x64')?.pins[0];
    const error: unknown = await install(place, {downloadUrl: downloads.url}).catch(
      (thrown: unknown) => thrown
    );
    expect(error).toMatchObject({name: 'DockerError', fault: 'install'});
    expect((error as Error).message).toContain(sha256(bytes));
    expect((error as Error).message).toContain(pinned?.sha256);
    expect(await readdir(place.temp)).toEqual([]);
    expect(await place.calls()).toEqual([]);
    await expect(readdir(join(place.directory, 'tools'))).rejects.toMatchObject({code: 'ENOENT'});
  });

  test('does not take from the cache what another checksum was meant for', async () => {
    await using place = await makePlace();
    const bytes = await archive(place);
    await using downloads = await site(new Map([[archivePath, bytes]]));
    const attempt = (digest: string) =>
      install(place, {pin: {version, sha256: digest}, downloadUrl: downloads.url});
    await attempt(sha256(bytes));
    await expect(attempt('a'.repeat(64))).rejects.toThrow(/has the SHA-256 checksum/);
    expect(downloads.asked).toHaveLength(2);
  });

  test('tells of an archive that cannot be had or unpacked', async () => {
    await using place = await makePlace();
    const nonsense = Buffer.from('not an archive');
    await using downloads = await site(new Map([[archivePath, nonsense]]));
    const attempt = (pin: Pin) => install(place, {pin, downloadUrl: downloads.url});
    await expect(attempt({version: '1.2.3', sha256: 'a'.repeat(64)})).rejects.toThrow(
      /could not be downloaded from .*docker-1\.2\.3\.tgz: .*404/
    );
    await expect(attempt({version, sha256: sha256(nonsense)})).rejects.toThrow(
      /could not be unpacked/
    );
  });

  test('ends in time where unpacking does not', async () => {
    await using place = await makePlace();
    const bytes = await archive(place);
    await using downloads = await site(new Map([[archivePath, bytes]]));
    const started = join(place.directory, 'started');
    const script = `#!/bin/sh\necho $$ > '${started}'\nexec sleep 20\n`;
    await writeFile(join(place.env.PATH ?? '', 'tar'), script, {mode: 0o755});
    process.env.PATH = `${place.env.PATH ?? ''}:${given.PATH ?? ''}`;
    process.env.RUNNER_TEMP = place.temp;
    process.env.RUNNER_TOOL_CACHE = join(place.directory, 'tools');
    const abort = new AbortController();
    const installing = installDocker({
      ...{platform: 'linux', arch: 'x64', pin: {version, sha256: sha256(bytes)}},
      ...{downloadUrl: downloads.url, log: recordedLog(), signal: abort.signal}
    });
    await until('tar runs', () => existsSync(started));
    abort.abort(new Error('cancelled'));
    const began = performance.now();
    await expect(installing).rejects.toThrow('cancelled');
    expect(performance.now() - began).toBeLessThan(5000);
    expect(await readdir(place.temp)).toEqual([]);
    // The toolkit does not end what it started.
    process.kill(Number(await readFile(started, 'utf8')));
  });

  test.each(['RUNNER_TEMP', 'RUNNER_TOOL_CACHE'])('tells that %s takes nothing', async name => {
    await using place = await makePlace();
    const bytes = await archive(place);
    await using downloads = await site(new Map([[archivePath, bytes]]));
    process.env.RUNNER_TEMP = place.temp;
    process.env.RUNNER_TOOL_CACHE = join(place.directory, 'tools');
    process.env[name] = '/dev/null/x';
    await expect(
      installDocker({
        ...{platform: 'linux', arch: 'x64', pin: {version, sha256: sha256(bytes)}},
        ...{downloadUrl: downloads.url, log: recordedLog(), signal: never}
      })
    ).rejects.toMatchObject({
      fault: 'install',
      message: expect.stringMatching(/^docker could not be installed: .*\/dev\/null\/x/),
      advice: expect.stringContaining('space left')
    });
  });

  test('stops when the run does', async () => {
    await using place = await makePlace();
    const server = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(server, 'listening');
    process.env.RUNNER_TEMP = place.temp;
    process.env.RUNNER_TOOL_CACHE = place.directory;
    const abort = new AbortController();
    setTimeout(() => {
      abort.abort(new Error('cancelled'));
    }, 200);
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(
      installDocker({
        platform: 'linux',
        arch: 'x64',
        downloadUrl: url,
        log: recordedLog(),
        signal: abort.signal
      })
    ).rejects.toThrow('cancelled');
    server.closeAllConnections();
    server.close();
  });

  test('serves the sign-in where PATH has no docker', async () => {
    await using place = await makePlace();
    const bytes = await archive(place);
    await using downloads = await site(new Map([[archivePath, bytes]]));
    process.env.RUNNER_TEMP = place.temp;
    process.env.RUNNER_TOOL_CACHE = join(place.directory, 'tools');
    const attempt = async (digest: string) => {
      using session = await signIn({
        accounts: [{registry: parseRegistry('one.example'), username: 'me', password: 'x'}],
        runnerTemp: place.temp,
        env: place.env,
        log: recordedLog(),
        signal: never,
        installer: installDocker,
        install: {
          pin: {version, sha256: digest},
          downloadUrl: downloads.url,
          platform: 'linux',
          arch: 'x64'
        }
      });
      return session.answers[0];
    };
    expect(await attempt('b'.repeat(64))).toMatchObject({
      outcome: 'unavailable',
      reason: expect.stringMatching(/no docker client on PATH, and the download of docker 29\.6\.2/)
    });
    expect(await attempt(sha256(bytes))).toMatchObject({outcome: 'accepted'});
  });
});

test.each<[string, Partial<InstallOptions>, RegExp]>([
  [
    'a build without a confirmed checksum',
    {platform: 'darwin', arch: 'x64'},
    /no checksum is confirmed for docker on darwin x64/
  ],
  ['Windows', {platform: 'win32', arch: 'x64'}, /no checksum is confirmed/],
  [
    'a build that is not published',
    {platform: 'win32', arch: 'arm64'},
    /no docker client to download for win32 arm64/
  ]
])('%s is refused before anything is asked for', async (_, options, message) => {
  process.env.RUNNER_TEMP = '/not/here';
  process.env.RUNNER_TOOL_CACHE = '/not/here';
  await expect(
    installDocker({downloadUrl: nowhere, ...options, log: recordedLog(), signal: never})
  ).rejects.toMatchObject({fault: 'install', message: expect.stringMatching(message)});
});

test('the refusal names the inputs to give', async () => {
  await expect(
    installDocker({
      ...{platform: 'darwin', arch: 'x64', downloadUrl: nowhere},
      ...{log: recordedLog(), signal: never}
    })
  ).rejects.toMatchObject({advice: expect.stringContaining('docker-version and docker-sha256')});
});

test('on a terminal, where there is no tool cache, nothing is installed', async () => {
  process.env.RUNNER_TEMP = '/tmp';
  delete process.env.RUNNER_TOOL_CACHE;
  await expect(
    installDocker({
      ...{platform: 'linux', arch: 'x64', downloadUrl: nowhere},
      ...{log: recordedLog(), signal: never}
    })
  ).rejects.toThrow('RUNNER_TOOL_CACHE is not set');
});

test('every pin is a version and a checksum, none twice', () => {
  const pins = ['linux x64', 'linux arm64', 'darwin arm64', 'darwin x64', 'win32 x64'].flatMap(
    key => buildFor(...(key.split(' ') as [string, string]))?.pins ?? []
  );
  expect(pins).toHaveLength(8);
  for (const {version, sha256: digest} of pins) {
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
  }
  expect(new Set(pins.map(pin => pin.sha256)).size).toBe(8);
});
