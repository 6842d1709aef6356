import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {dirname, join, resolve} from 'node:path';

import {expect, test} from '@jest/globals';

import {DockerError} from '../../src/docker/error.ts';
import {dockerEnvironment, faultIn, lastSaid, runDocker, succeed} from '../../src/docker/run.ts';
import {silent} from '../../src/log.ts';
import {parseRegistry} from '../../src/oci/reference.ts';
import {findProgram, ProcessError, runProcess} from '../../src/process.ts';
import {dockerConfigFile} from '../../src/registry/docker-config.ts';
import {systemProgram, throughShell} from '../../src/windows.ts';
import {describeOnPosix, makePlace, recordedLog} from './fake.ts';

const node = process.execPath;
const script = (text: string) => ['-e', text];
const never = new AbortController().signal;

test('a child gets exactly the given environment, arguments and input', async () => {
  const outcome = await runProcess({
    file: node,
    args: [
      ...script(
        'process.stdout.write(JSON.stringify({env: process.env, argv: process.argv.slice(1), input: require("fs").readFileSync(0, "utf8")}))'
      ),
      '--',
      'a b',
      '$(id)'
    ],
    env: {ONLY: 'this', NOT: undefined},
    stdin: 'pass"word\n',
    timeout: 20_000
  });
  const seen = JSON.parse(outcome.stdout) as {env: Record<string, string>};
  expect(seen).toMatchObject({argv: ['a b', '$(id)'], input: 'pass"word\n'});
  expect(Object.keys(seen.env).filter(key => !/^(?:SYSTEMROOT|__CF_USER)/i.test(key))).toEqual([
    'ONLY'
  ]);
  expect(outcome).toMatchObject({exitCode: 0, stderr: '', timedOut: false});
});

test('V18 a non-zero exit is handed back, with what was said', async () => {
  const outcome = await runProcess({
    file: node,
    args: script('console.error("no"); process.exitCode = 7'),
    env: {},
    timeout: 20_000
  });
  expect(outcome).toEqual({exitCode: 7, stdout: '', stderr: 'no\n', timedOut: false});
});

test('only the last bytes of an output are kept', async () => {
  const {stdout, stderr} = await runProcess({
    file: node,
    args: script(
      'for (let i = 0; i < 3e4; i++) process.stdout.write(`line ${i}\\n`); console.error("x".repeat(3e5))'
    ),
    env: {},
    timeout: 20_000
  });
  expect(Buffer.byteLength(stdout)).toBe(64 * 1024);
  expect(stdout.endsWith('line 29999\n')).toBe(true);
  expect(stderr).toHaveLength(64 * 1024);
});

test('a child that does not read its input is no failure', async () => {
  const outcome = await runProcess({
    file: node,
    args: script('process.stdin.destroy()'),
    env: {},
    stdin: 'x'.repeat(1_000_000),
    timeout: 20_000
  });
  expect(outcome.exitCode).toBe(0);
});

test('a program that is not there is an error of its own', async () => {
  const asked = runProcess({file: '/not/here/docker', args: [], env: {}, timeout: 1_000});
  await expect(asked).rejects.toBeInstanceOf(ProcessError);
  await expect(asked).rejects.toMatchObject({code: 'ENOENT'});
  await expect(
    runDocker([], {docker: '/not/here/docker', env: {}, log: silent, signal: never, timeout: 1_000})
  ).rejects.toMatchObject({name: 'DockerError', fault: 'missing'});
});

describeOnPosix('an end by force', () => {
  const stubborn = `process.on('SIGTERM', () => undefined); setInterval(() => undefined, 1000);`;

  test('comes when the time is up, for the whole group and against its will', async () => {
    await using place = await makePlace();
    const pids = join(place.directory, 'pids');
    const started = performance.now();
    const outcome = await runProcess({
      file: node,
      args: script(
        `${stubborn} const {spawn} = require('child_process');
         const child = spawn(process.execPath, ['-e', ${JSON.stringify(stubborn)}], {stdio: 'inherit'});
         require('fs').writeFileSync(${JSON.stringify(pids)}, process.pid + ' ' + child.pid); console.log('waiting');`
      ),
      env: {},
      timeout: 1_000,
      grace: 300
    });
    expect(outcome).toMatchObject({exitCode: null, timedOut: true, stdout: 'waiting\n'});
    expect(performance.now() - started).toBeLessThan(8_000);
    const [one, other] = (await readFile(pids, 'utf8')).split(' ').map(Number);
    expect(await dead(one)).toBe(true);
    expect(await dead(other)).toBe(true);
  });

  test('comes with the signal, whose reason is thrown', async () => {
    const abort = new AbortController();
    const reason = new Error('cancelled');
    setTimeout(() => {
      abort.abort(reason);
    }, 200);
    const ran = runProcess({
      file: node,
      args: script(stubborn),
      env: {},
      timeout: 60_000,
      grace: 200,
      signal: abort.signal
    });
    await expect(ran).rejects.toBe(reason);
    await expect(
      runProcess({file: node, args: [], env: {}, timeout: 1, signal: abort.signal})
    ).rejects.toBe(reason);
  });

  test('names the docker command and what to do', async () => {
    await using place = await makePlace();
    const path = await place.program('docker', 'setInterval(() => undefined, 1000)');
    const asked = runDocker(['pull', 'x'], {
      docker: path,
      env: place.env,
      log: silent,
      signal: never,
      timeout: 500
    });
    await expect(asked).rejects.toMatchObject({
      fault: 'timeout',
      message: 'docker pull x did not end within 1 s and was stopped',
      advice: expect.stringContaining('docker info')
    });
  });
});

async function dead(pid: number | undefined): Promise<boolean> {
  for (let left = 40; left > 0; left--) {
    try {
      process.kill(pid ?? 0, 0);
      // A zombie that nobody has reaped yet does not run either.
      if (/^State:\s+Z/m.test(await readFile(`/proc/${pid ?? 0}/status`, 'utf8'))) return true;
    } catch {
      return true;
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  return false;
}

describeOnPosix('a program on PATH', () => {
  test('is found in absolute directories only, and must be executable', async () => {
    await using place = await makePlace();
    const path = await place.program('docker', '');
    await writeFile(join(place.home, 'docker'), 'not executable');
    const bin = join(place.directory, 'bin');
    const find = (PATH: string) => findProgram('docker', {PATH});
    expect(await find(`${place.home}:/not/here:${bin}`)).toBe(path);
    expect(await find(`.:${place.home}:`)).toBeUndefined();
    await mkdir(join(place.home, 'b', 'docker'), {recursive: true});
    expect(await find(join(place.home, 'b'))).toBeUndefined();
    expect(await findProgram('docker', {})).toBeUndefined();
  });
});

test('on Windows the endings of PATHEXT count, and the variables in any case', async () => {
  await using place = await makePlace();
  await writeFile(join(place.home, 'docker.exe'), '');
  const env = {Path: place.home, PathExt: '.COM;.EXE'};
  expect(await findProgram('docker', env, 'win32')).toBe(join(place.home, 'docker.exe'));
  expect(await findProgram('docker.exe', env, 'win32')).toBe(join(place.home, 'docker.exe'));
  expect(await findProgram('podman', env, 'win32')).toBeUndefined();
});

test('on Windows a batch file gets plain words in cmd.exe, any other program what it is given', () => {
  const exe = 'C:\\Program Files\\Docker\\docker.exe';
  expect(throughShell(exe, ['a b', '%PATH%'])).toEqual({
    file: exe,
    argv: ['a b', '%PATH%'],
    verbatim: false
  });
  expect(throughShell('C:\\Cloud SDK\\docker-credential-gcloud.cmd', ['get'])).toEqual({
    file: systemProgram('cmd.exe'),
    argv: ['/d', '/s', '/c', '""C:\\Cloud SDK\\docker-credential-gcloud.cmd" get"'],
    verbatim: true
  });
  for (const word of ['%PATH%', 'a&b', 'a b', '"', '^']) {
    expect(() => throughShell('C:\\x.bat', [word])).toThrow('plain words only');
  }
  expect(() => throughShell('C:\\%x%\\x.CMD', ['get'])).toThrow('plain words only');
});

test("docker's environment holds what is on the list, and the given config", () => {
  const kept = {
    PATH: '/bin',
    Home: '/home/me',
    https_proxy: 'http://proxy:3128',
    NO_PROXY: 'localhost',
    DOCKER_HOST: 'unix:///x',
    RUNNER_TRACKING_ID: 'github_1'
  };
  const environment = dockerEnvironment(
    {
      ...kept,
      DOCKER_CONFIG: '/old',
      'INPUT_TARGET-PASSWORD': 'canary',
      TARGET_DOCKER_PASSWORD: 'canary',
      SOURCE_DOCKER_USERNAME: 'canary',
      GITHUB_TOKEN: 'canary',
      ACTIONS_RUNTIME_TOKEN: 'canary',
      DOCKER_AUTH_CONFIG: 'canary',
      AWS_SECRET_ACCESS_KEY: 'canary',
      EMPTY: undefined
    },
    '/private'
  );
  expect(environment).toEqual({...kept, DOCKER_CONFIG: '/private', DOCKER_CLI_HINTS: 'false'});
});

test('the certificates for a daemon behind TLS are those of the job', () => {
  const given = (more: Record<string, string>, directory?: string) =>
    dockerEnvironment({HOME: '/home/me', ...more}, directory).DOCKER_CERT_PATH;
  // Docker looks into its config directory, and the private one has none.
  const wanted = dirname(dockerConfigFile({HOME: '/home/me'}));
  expect(given({DOCKER_TLS_VERIFY: '1'}, '/private')).toBe(wanted);
  expect(given({DOCKER_TLS: '1', DOCKER_CERT_PATH: ''}, '/private')).toBe(wanted);
  expect(given({DOCKER_TLS_VERIFY: '1', DOCKER_CONFIG: '/job'}, '/private')).toBe(resolve('/job'));
  expect(given({DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/certs'}, '/private')).toBe('/certs');
  expect(given({DOCKER_TLS_VERIFY: '1'})).toBeUndefined();
  expect(given({}, '/private')).toBeUndefined();
});

describeOnPosix('a docker command that must succeed', () => {
  const call = async (body: string, log = recordedLog()) => {
    await using place = await makePlace();
    const path = await place.program('docker', body);
    return await succeed(['push', 'x'], {
      docker: path,
      registry: parseRegistry('x.example'),
      env: place.env,
      log,
      signal: never,
      timeout: 20_000
    }).catch((error: unknown) => error);
  };

  test('hands back its output', async () => {
    expect(await call('console.log("out"); console.error("chatter")')).toBe('out\n');
  });

  test('fails on any exit but 0, though nothing was said', async () => {
    expect(await call('process.exit(3)')).toMatchObject({
      fault: 'failed',
      message: 'docker push x failed (exit code 3): it said nothing'
    });
  });

  test.each([
    [
      'denied: requested access to the resource is denied',
      'Check what the account may do at x.example.'
    ],
    ['unauthorized: authentication required', 'Check what the account may do at x.example.'],
    ['open /etc/docker/config.json: permission denied', undefined],
    ['something else', undefined]
  ])('%s: what to do is told where the registry has refused it', async (said, advice) => {
    const error = await call(`console.error(${JSON.stringify(said)}); process.exit(1)`);
    expect((error as DockerError).advice).toBe(advice);
  });

  test('has its words cleaned: no workflow command, no escape gets through', async () => {
    const error = await call(
      String.raw`console.error('::set-output name=a::b\n  ::add-mask::c\n##[error]x \u001b[31mred\u202e'); process.exit(1)`
    );
    expect(error).toBeInstanceOf(DockerError);
    const {message} = error as DockerError;
    expect(message).not.toMatch(/^\s*::|##\[|\p{Cc}|\p{Cf}/u);
    expect(message).toContain('red');
  });
});

test('secrets are taken out of what docker said before it is cut', () => {
  const outcome = {exitCode: 1, stdout: '', timedOut: false};
  const stderr = `WARNING! Your credentials are stored unencrypted in '/x'.\n${'y'.repeat(395)}hunter2 hunter2`;
  const said = lastSaid({...outcome, stderr}, ['hunter2', '']);
  expect(said).not.toMatch(/hun|WARNING/);
  expect(said).toContain('***');
});

test.each([
  [
    `failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://store.example/6d/data?X-Amz-Expires=1200&X-Amz-Signature=canary${'0'.repeat(400)}": dial tcp: i/o timeout`,
    'failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://store.example/6d/data": dial tcp: i/o timeout'
  ],
  [
    'error pulling image configuration: Get https://store.example/e9/data?verify=1-canary%3D: Service Unavailable',
    'error pulling image configuration: Get https://store.example/e9/data: Service Unavailable'
  ],
  ['see http://a.example/x?sig=canary', 'see http://a.example/x'],
  ['is that so? Yes: https://a.example/x', 'is that so? Yes: https://a.example/x']
])('of an address that docker tells the query is not shown (%#)', (stderr, shown) => {
  expect(lastSaid({exitCode: 1, stdout: '', stderr, timedOut: false})).toBe(shown);
});

test.each([
  ['Cannot connect to the Docker daemon at unix:///var/run/docker.sock.', 'daemon'],
  ['permission denied while trying to connect to the Docker daemon socket', 'daemon'],
  [
    'unable to resolve docker endpoint: context "x": context not found: open /x/meta.json: no such file or directory',
    'daemon'
  ],
  ['unable to resolve docker endpoint: open /x/ca.pem: no such file or directory', 'daemon'],
  ['write /var/lib/docker/x: no space left on device', 'space'],
  ['unauthorized: authentication required', 'registry'],
  ['x509: certificate signed by unknown authority', 'registry'],
  ['something else', 'failed']
])('%s is a matter of %s', (said, fault) => {
  expect(faultIn(said)).toBe(fault);
});
