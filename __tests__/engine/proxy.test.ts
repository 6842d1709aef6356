import {once} from 'node:events';
import {createServer} from 'node:http';
import {type AddressInfo, connect, type Socket} from 'node:net';

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {seedRelease} from '../../src/demo/sample.ts';
import {silent} from '../../src/log.ts';
import type {RegistryName} from '../../src/oci/reference.ts';
import type {RegistryError} from '../../src/registry/error.ts';
import {bypasses} from '../../src/registry/no-proxy.ts';
import {ping} from '../../src/registry/ping.ts';
import {Registry} from '../../src/registry/registry.ts';
import {Transport, usualTimings} from '../../src/registry/transport.ts';
import {type Certificates, makeCertificates} from '../support/certificates.ts';
import {freePort} from '../support/program.ts';
import {Job} from '../support/step.ts';
import {VirtualClock} from '../support/virtual-clock.ts';
import {names, repository, tag} from './run.ts';

describe('T26 NO_PROXY', () => {
  test.each([
    ['*', 'https://one.example.com', true],
    ['other.example, *', 'https://one.example.com', true],
    ['one.example.com', 'https://one.example.com', true],
    ['ONE.Example.com', 'https://one.example.com', true],
    ['example.com', 'https://one.example.com', true],
    ['.example.com', 'https://one.example.com', true],
    ['*.example.com', 'https://one.example.com', true],
    ['.example.com', 'https://example.com', false],
    ['*.example.com', 'https://example.com', false],
    ['ample.com', 'https://one.example.com', false],
    ['one.example.com.evil', 'https://one.example.com', false],
    ['one.example.com:443', 'https://one.example.com', true],
    ['one.example.com:80', 'http://one.example.com', true],
    ['one.example.com:5000', 'https://one.example.com', false],
    ['.example.com:5000', 'https://one.example.com:5000', true],
    ['a b\tone.example.com\n', 'https://one.example.com', true],
    ['10.1.2.3', 'https://10.1.2.3:5000', true],
    ['10.1.2.3:5000', 'https://10.1.2.3:5000', true],
    ['10.1.2.3:5001', 'https://10.1.2.3:5000', false],
    ['10.0.0.0/8', 'https://10.1.2.3', true],
    ['10.0.0.0/8', 'https://11.1.2.3', false],
    ['10.0.0.0/8', 'https://ten.example.com', false],
    ['10.0.0.0/99', 'https://10.1.2.3', false],
    ['::1', 'https://[::1]:5000', true],
    ['[::1]:5000', 'https://[::1]:5000', true],
    ['[::1]:5001', 'https://[::1]:5000', false],
    ['fd00::/8', 'https://[fd12::1]', true],
    ['fd00::/8', 'https://10.1.2.3', false],
    ['', 'https://one.example.com', false]
  ])('%j and %s: %j', (noProxy, url, direct) => {
    expect(bypasses(new URL(url), noProxy)).toBe(direct);
  });
});

const account = 'Basic ' + Buffer.from('me:c@nary').toString('base64');

/** A proxy that knows CONNECT alone. */
async function startProxy(answer: 'through' | 'silent' | 'hole' | number = 'through') {
  const asked: string[] = [];
  const open = new Set<Socket>();
  const server = createServer((_, response) => {
    response.writeHead(407).end();
  });
  server.on('connection', socket => {
    open.add(socket);
    socket.on('error', () => undefined);
  });
  server.on('connect', (request, socket: Socket) => {
    asked.push(request.url ?? '');
    if (answer === 'silent') return;
    if (answer === 'hole') {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      return;
    }
    const known = request.headers['proxy-authorization'] === account;
    if (answer !== 'through' || !known) {
      const status = answer === 'through' ? 407 : answer;
      socket.end(`HTTP/1.1 ${status} No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const away = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      away.pipe(socket).pipe(away);
    });
    away.on('error', () => socket.destroy());
    socket.on('close', () => away.destroy());
    open.add(away);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    place,
    url: `http://me:c%40nary@${place}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    }
  };
}

describe('T26 a run behind a proxy', () => {
  let certificates: Certificates;
  let source: EmbeddedRegistry;
  let target: EmbeddedRegistry;
  let job: Job;

  beforeAll(async () => {
    certificates = await makeCertificates();
    const {key, cert} = certificates;
    source = await EmbeddedRegistry.start({tls: {key, cert}});
    target = await EmbeddedRegistry.start({tls: {key, cert}});
    seedRelease(source.store, 'arcdata', {tag, names, month: 1});
    job = await Job.begin();
  });
  afterAll(async () => {
    for (const one of [job, source, target, certificates]) await one[Symbol.asyncDispose]();
  });

  const mirror = (variables: Readonly<Record<string, string>>, inputs: object = {}) =>
    job.run(
      {
        'source-registry': source.name,
        'source-tag': tag,
        'target-registry': target.name,
        'target-repository': repository,
        'ca-file': certificates.caFile,
        images: names.join('\n'),
        ...inputs
      },
      {variables}
    );

  test('goes through it with its account, which is masked, but for what NO_PROXY names', async () => {
    await using proxy = await startProxy();
    const end = await mirror({
      ...{HTTPS_PROXY: proxy.url, NO_PROXY: `localhost,${target.name}`},
      // What libraries would tell of their work, headers included.
      DEBUG: '*'
    });
    expect({code: end.exitCode, log: end.exitCode === 0 ? '' : end.stdout}).toEqual({
      code: 0,
      log: ''
    });
    expect(new Set(proxy.asked)).toEqual(new Set([source.name]));
    const masked = end.commands.filter(({name}) => name === 'add-mask').map(({data}) => data);
    expect(masked).toEqual(
      expect.arrayContaining(['c@nary', 'c%40nary', account.slice('Basic '.length)])
    );
    const shown = end.stdout.split('\n').filter(line => !line.startsWith('::add-mask::'));
    const said = shown.join('\n') + end.stderr + end.summary;
    expect(said).not.toMatch(/c(?:@|%40)nary/);
    expect(said).not.toContain(account);
  });

  test.each([
    ['directly', true],
    ['through it', false]
  ])('checks certificates %s, whatever NODE_TLS_REJECT_UNAUTHORIZED says', async (_, direct) => {
    await using proxy = await startProxy();
    const before = source.requests.length + target.requests.length;
    const end = await mirror(
      {
        NODE_TLS_REJECT_UNAUTHORIZED: '0',
        HTTPS_PROXY: proxy.url,
        ...(direct && {NO_PROXY: `${source.name},${target.name}`})
      },
      {'ca-file': ''}
    );
    expect(end.exitCode).toBe(1);
    const told = end.commands.map(({name, data}) => `${name}: ${data}`).join('\n');
    expect(told).toMatch(/error: .*TLS certificate that is not believed/);
    expect(told).toMatch(/warning: NODE_TLS_REJECT_UNAUTHORIZED=0 changes nothing here/);
    expect(source.requests.length + target.requests.length).toBe(before);
  });

  test.each<[string, 'through' | number, (place: string) => string, RegExp]>([
    [
      'wants another account',
      'through',
      place => `http://me:wr0ng-canary@${place}`,
      /the proxy did not let \S+ through: it wants a user name and password, or other ones \(407\).*HTTPS_PROXY/
    ],
    [
      'is no address',
      502,
      () => 'http://::canary',
      /the proxy that the environment names for \S+ is not an address/
    ]
  ])('is told at once when the proxy %s', async (_, answer, url, message) => {
    await using proxy = await startProxy(answer);
    const end = await mirror({HTTPS_PROXY: url(proxy.place)});
    expect(end.exitCode).toBe(1);
    const errors = end.commands.filter(({name}) => name === 'error').map(({data}) => data);
    expect(errors.join('\n')).toMatch(message);
    const shown = end.stdout.split('\n').filter(line => !line.startsWith('::add-mask::'));
    expect(shown.join('\n') + end.stderr + end.summary).not.toContain('canary');
    expect(end.milliseconds).toBeLessThan(8_000);
  });

  test('is told at once when only the target is behind it, and it is no address', async () => {
    const end = await mirror({HTTPS_PROXY: 'http://::canary', NO_PROXY: source.name});
    expect(end.exitCode).toBe(1);
    const errors = end.commands.filter(({name}) => name === 'error').map(({data}) => data);
    expect(errors.join('\n')).toContain(
      `the proxy that the environment names for ${target.name} is not an address`
    );
  });
});

describe('T26 a proxy in front of a registry', () => {
  /** Asks a registry with these variables, and gives what it comes to. */
  async function greeted(origin: string, variables: Readonly<Record<string, string>>) {
    const kept = Object.keys(variables).map(key => [key, process.env[key]] as const);
    Object.assign(process.env, variables);
    const url = new URL(origin);
    const transport = new Transport({clock: new VirtualClock()});
    const registry = new Registry({
      ...{
        name: url.host as RegistryName,
        plainHosts: new Set(url.protocol === 'http:' ? [url.host] : [])
      },
      ...{credentials: {kind: 'anonymous', from: 'a test'}, transport, log: silent, actions: 'pull'}
    });
    try {
      return await ping(registry, [], new AbortController().signal).catch(
        (error: unknown) => error
      );
    } finally {
      transport.close();
      for (const [key, value] of kept) {
        if (value === undefined) Reflect.deleteProperty(process.env, key);
        else process.env[key] = value;
      }
    }
  }

  test.each([
    ['HTTPS_PROXY', 'https://registry.example', 'registry.example:443'],
    ['HTTP_PROXY', 'http://registry.example:5000', 'registry.example:5000'],
    ['all_proxy', 'https://registry.example', 'registry.example:443']
  ])('that refuses the connection is blamed for it: %s', async (variable, origin, behind) => {
    const place = `127.0.0.1:${await freePort()}`;
    const error = await greeted(origin, {[variable]: `http://me:c%40nary@${place}`});
    expect(error).toMatchObject({
      fault: 'proxy',
      message: `the proxy ${place} (${variable}), which leads to ${behind}, refused the connection (ECONNREFUSED)`,
      advice: `Check ${variable}, or name the host in NO_PROXY.`
    });
  });

  test('whose name nobody knows is blamed for it', async () => {
    const error = await greeted('https://registry.example', {
      HTTPS_PROXY: 'http://proxy.invalid:3128'
    });
    expect(error).toMatchObject({
      fault: 'proxy',
      message: expect.stringMatching(
        /^the proxy proxy\.invalid:3128 \(HTTPS_PROXY\), which leads to registry\.example:443, cannot be reached: /
      )
    });
  });

  test('that answers plain http with a page of its own is named', async () => {
    const server = createServer((_, response) => {
      response.writeHead(403, {'Content-Type': 'text/html'}).end('<h1>Blocked</h1>');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const error = await greeted('http://registry.example:5000', {
      HTTP_PROXY: `http://me:c%40nary@${place}`
    });
    server.close();
    expect(error).toMatchObject({
      message: `GET /v2/: registry.example:5000 (through the proxy ${place}, HTTP_PROXY) answers 403 with an HTML page`,
      advice: 'Look at the proxy, or name registry.example in NO_PROXY.'
    });
  });
});

describe('T26 a proxy that', () => {
  test.each<[string, 'silent' | 'hole' | number, object]>([
    ['does not answer', 'silent', {fault: 'stalled'}],
    ['lets through to nowhere', 'hole', {fault: 'stalled'}],
    ['answers 502', 502, {fault: 'proxy', status: 502}],
    ['answers 407', 407, {fault: 'proxy', status: 407}]
  ])('%s is not waited for without end', async (_, answer, expected) => {
    await using proxy = await startProxy(answer);
    const given = process.env.HTTPS_PROXY;
    process.env.HTTPS_PROXY = proxy.url;
    const transport = new Transport({timings: {...usualTimings, connect: 400}});
    try {
      const began = performance.now();
      await expect(
        transport.send({
          method: 'GET',
          url: new URL('https://registry.example/v2/'),
          headers: {},
          answerWithin: 60_000,
          signal: AbortSignal.timeout(10_000)
        })
      ).rejects.toMatchObject({name: 'RegistryError', ...expected});
      expect(performance.now() - began).toBeLessThan(5_000);
    } finally {
      transport.close();
      if (given === undefined) delete process.env.HTTPS_PROXY;
      else process.env.HTTPS_PROXY = given;
    }
  });
});

describe('T26 what a proxy must not be led to', () => {
  test('a path that begins with two slashes is no host', async () => {
    const asked: string[] = [];
    await using proxy = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end();
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    process.env.http_proxy = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const transport = new Transport();
    try {
      for (const [port, path] of [
        [80, '//elsewhere.test/steal?a=b'],
        [5000, '//elsewhere.test:80/steal'],
        [5000, '/v2/?next=http://elsewhere.test/']
      ] as const) {
        const url = new URL(`http://registry.example:${port}/`);
        [url.pathname = '', url.search = ''] = path.split('?');
        const {signal} = new AbortController();
        const {body} = await transport.send({
          ...{method: 'GET', url, headers: {}, answerWithin: 5000, signal}
        });
        body.resume();
        const place = port === 80 ? 'registry.example' : `registry.example:${port}`;
        expect(asked.pop()).toBe(`http://${place}${path}`);
      }
    } finally {
      delete process.env.http_proxy;
      transport.close();
      proxy.closeAllConnections();
    }
  });

  test.each([
    ['its own', 'IP:127.0.0.1', 401],
    ["the proxy's", 'DNS:localhost', 'certificate']
  ] as const)(
    'a registry that is named by its address shows %s certificate',
    async (_, name, end) => {
      await using certificates = await makeCertificates([name]);
      const {key, cert, ca} = certificates;
      await using registry = await EmbeddedRegistry.start({
        tls: {key, cert},
        auth: {kind: 'basic', username: 'me', password: 'x'}
      });
      await using proxy = await startProxy();
      process.env.https_proxy = proxy.url.replace('127.0.0.1', 'localhost');
      const transport = new Transport({ca});
      try {
        const {signal} = new AbortController();
        const asked = transport
          .send({
            ...{method: 'GET', url: new URL(`${registry.url}/v2/`), headers: {}},
            ...{answerWithin: 5000, signal}
          })
          .then(
            ({status, body}) => {
              body.resume();
              return status;
            },
            (error: unknown) => (error as RegistryError).fault
          );
        expect(await asked).toBe(end);
        expect(proxy.asked).toHaveLength(1);
      } finally {
        delete process.env.https_proxy;
        transport.close();
      }
    }
  );
});
