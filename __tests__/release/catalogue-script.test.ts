import {spawn} from 'node:child_process';
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {fileURLToPath} from 'node:url';

import {describe, expect, test} from '@jest/globals';

import {
  currentNames,
  difference,
  imageNames,
  markdown,
  stableTags
} from '../../scripts/catalogue-difference.mjs';
import {catalogEntries, imageSet} from '../../src/release/catalog.ts';
import {knownReleases} from '../../src/release/companions.ts';
import {everyTag, stableReleases} from './history.ts';

const script = fileURLToPath(new URL('../../scripts/catalogue.mjs', import.meta.url));
const newest = 'v1.50.0_2027-03-09';
const names = imageSet(newest).map(({name}) => name);

describe('the difference', () => {
  test('reads tags as the rest of the program does', () => {
    expect(stableTags([...everyTag, 'v1.8.0_2022-06-07_5ba6b837'].sort())).toEqual(stableReleases);
    expect(currentNames(catalogEntries)).toEqual(names);
    expect(imageNames(['arc-b', 'arc-a', 'arc-a', 'x', 'arc-`x`', 'preview/arc-a'])).toEqual([
      'arc-a',
      'arc-b'
    ]);
  });

  test('is empty for what is known', () => {
    const found = difference({
      entries: catalogEntries,
      releases: knownReleases,
      tags: everyTag,
      carrying: names
    });
    expect(found).toMatchObject({newReleases: [], unlisted: [], gone: []});
    expect(markdown(found)).toBe('');
  });

  test('names new releases, new images and those that are gone', () => {
    const found = difference({
      entries: catalogEntries,
      releases: knownReleases,
      tags: [newest, ...everyTag, 'v1.49.2_2027-02-09'],
      carrying: [...names.filter(name => name !== 'arc-dns'), 'arc-vector']
    });
    expect(found).toEqual({
      newest,
      newReleases: ['v1.49.2_2027-02-09', newest],
      unlisted: ['arc-vector'],
      gone: ['arc-dns']
    });
    const text = markdown(found);
    expect(text).toMatch(/^## Releases that companions\.json does not have\n\n- `v1\.49\.2_/);
    expect(text).toContain('(the chart should be 1.50.0)');
    expect(text).not.toContain('1.49.0');
    expect(text).toContain('- `arc-vector`: ');
    expect(text).toContain('- `arc-dns`: ');
  });
});

describe('the script', () => {
  type Handler = (url: URL, request: IncomingMessage, response: ServerResponse) => void;

  async function run(handler: Handler, ...more: string[]) {
    const server = createServer((request, response) => {
      handler(new URL(request.url ?? '/', 'http://localhost'), request, response);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    try {
      const {port} = server.address() as AddressInfo;
      return await start([`http://127.0.0.1:${port}`, ...more]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  async function start(parameters: readonly string[]) {
    const child = spawn(process.execPath, [script, ...parameters], {timeout: 60_000});
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const code = await new Promise(resolve => child.once('close', resolve));
    return {code, stdout, stderr};
  }

  // Two tags a page and a catalogue, as registries list them.
  function source(held: readonly string[], tags: readonly string[], catalogue = true): Handler {
    return (url, request, response) => {
      const [, image] = /^\/v2\/arcdata\/([^/]+)\/manifests\/v1\.50\./.exec(url.pathname) ?? [];
      if (url.pathname === '/v2/arcdata/arc-controller/tags/list') {
        const from = Number(url.searchParams.get('from'));
        if (from + 2 < tags.length)
          response.setHeader('link', `<${url.pathname}?from=${from + 2}>; rel="next"`);
        response.end(JSON.stringify({tags: tags.slice(from, from + 2)}));
      } else if (url.pathname === '/v2/_catalog' && catalogue) {
        const repositories = [...held, 'arc-dead'].map(name => `arcdata/${name}`);
        response.end(JSON.stringify({repositories: [...repositories, 'else/arc-x']}));
      } else {
        const there = image !== undefined && held.includes(image) && request.method === 'HEAD';
        response.writeHead(there ? 200 : 404).end();
      }
    };
  }

  test('prints what is new', async () => {
    const held = [...names.filter(name => name !== 'arc-dns'), 'arc-vector'];
    const {code, stdout, stderr} = await run(source(held, [...stableReleases, newest].sort()));
    expect({code, stderr}).toEqual({code: 0, stderr: ''});
    expect(stdout).toContain(`- \`${newest}\`: `);
    expect(stdout).toContain('- `arc-vector`: ');
    expect(stdout).toContain('- `arc-dns`: ');
    expect(stdout).not.toContain('arc-dead');
    expect(stdout).not.toContain('v1.46.0');
  });

  test('does without a catalogue', async () => {
    const answer = await run(source(names, [newest], false), 'arcdata');
    expect(answer).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('does not list') as unknown
    });
    expect(answer.stdout).toContain(newest);
    expect(answer.stdout).not.toContain('Images');
  });

  test('tries passing faults again', async () => {
    const healthy = source(names, [newest]);
    let blocked = 0;
    const {code} = await run((url, request, response) => {
      if (blocked++ > 0) healthy(url, request, response);
      else response.writeHead(403, {'content-type': 'text/html'}).end('The request is blocked.');
    });
    expect({code, blocked: blocked > 1}).toEqual({code: 0, blocked: true});
  });

  test.each([
    ['no such repository', (_url, _request, response) => void response.writeHead(404).end()],
    ['no stable release', source(names, ['latest'])],
    [
      'another host for the next page',
      (_url, _request, response) =>
        void response.setHeader('link', '<http://else.example/>; rel="next"').end('{"tags":[]}')
    ]
  ] satisfies [string, Handler][])('fails with one line: %s', async (_what, handler) => {
    const {code, stdout, stderr} = await run(handler);
    expect({code, stdout}).toEqual({code: 1, stdout: ''});
    expect(stderr).toMatch(/^\S.*\n$/);
  });

  test('refuses what is no address', async () => {
    expect(await start(['mcr.microsoft.com'])).toMatchObject({code: 2, stdout: ''});
  });
});
