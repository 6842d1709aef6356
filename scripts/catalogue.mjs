// Compares src/release/catalogue.json and companions.json with a live source, and prints what is new
// as Markdown for an issue. Prints nothing when nothing is new.
//
//   node scripts/catalogue.mjs [https://mcr.microsoft.com] [arcdata]

import {readFile} from 'node:fs/promises';
import {setTimeout as wait} from 'node:timers/promises';

import {
  currentNames,
  difference,
  imageNames,
  markdown,
  stableTags
} from './catalogue-difference.mjs';

const attempts = 5;
const requestTimeout = 30_000;
const mostPages = 1000;
const mostBytes = 16 * 1024 * 1024;
const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json'
].join(', ');

const [registry = 'https://mcr.microsoft.com', repository = 'arcdata'] = process.argv.slice(2);
if (!URL.canParse(registry) || !/^https?:$/.test(new URL(registry).protocol)) {
  process.stderr.write('Usage: node scripts/catalogue.mjs [https://registry] [repository]\n');
  process.exit(2);
}

try {
  const text = await compareWith(new URL(registry), repository);
  process.stdout.write(text);
  if (text === '') process.stderr.write('Nothing is new.\n');
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function compareWith(base, path) {
  const {images: entries} = await data('catalogue.json');
  const {releases} = await data('companions.json');
  const tags = await pages(new URL(`/v2/${path}/arc-controller/tags/list?n=1000`, base), 'tags');
  if (tags === undefined) throw new Error(`${base.host} has no ${path}/arc-controller`);
  const newest = stableTags(tags).at(-1);
  if (newest === undefined) throw new Error(`${base.host} has no stable release in ${path}`);
  const all = await pages(new URL('/v2/_catalog?n=1000', base), 'repositories');
  if (all === undefined) process.stderr.write(`${base.host} does not list its repositories.\n`);
  const siblings = (all ?? [])
    .filter(name => name.startsWith(`${path}/`))
    .map(name => name.slice(path.length + 1));
  const carrying = [];
  for (const name of imageNames([...currentNames(entries), ...siblings])) {
    const url = new URL(`/v2/${path}/${name}/manifests/${newest}`, base);
    const answer = await ask(url, 'HEAD');
    if (answer.ok) carrying.push(name);
    else if (answer.status !== 404) throw new Error(`${url.href} answered ${answer.status}`);
  }
  return markdown(difference({entries, releases: Object.keys(releases), tags, carrying}));
}

async function data(name) {
  return JSON.parse(await readFile(new URL(`../src/release/${name}`, import.meta.url), 'utf8'));
}

// All pages of a list; undefined where the registry does not have one, or does not show it.
async function pages(first, key) {
  const items = [];
  let url = first;
  for (let page = 0; page < mostPages; page++) {
    const answer = await ask(url, 'GET');
    if (page === 0 && [401, 403, 404, 405].includes(answer.status)) return undefined;
    if (!answer.ok) throw new Error(`${url.href} answered ${answer.status}`);
    const listed = JSON.parse(await bounded(answer, url))[key] ?? [];
    for (const item of listed) if (typeof item === 'string') items.push(item);
    const link = /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(answer.headers.get('link') ?? '')?.[1];
    if (link === undefined) return items;
    const next = new URL(link, url);
    if (next.origin !== first.origin)
      throw new Error(`${url.href} points to ${next.origin} for its next page`);
    url = next;
  }
  throw new Error(`${first.href} has more than ${mostPages} pages`);
}

async function bounded(answer, url) {
  const chunks = [];
  let size = 0;
  for await (const chunk of answer.body) {
    size += chunk.length;
    if (size > mostBytes) throw new Error(`${url.href} answers with more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

// Passing faults are tried again, among them the 403 with an HTML page that MCR shows now and then.
async function ask(url, method) {
  for (let attempt = 1; ; attempt++) {
    const signal = AbortSignal.timeout(requestTimeout);
    const answer = await fetch(url, {method, headers: {accept}, signal}).catch(error => error);
    const passing = answer.status === undefined ? true : isPassing(answer);
    if (!passing) return answer;
    const what = answer.status ?? answer.cause?.message ?? answer.message;
    if (attempt === attempts) throw new Error(`${url.href} failed ${attempts} times: ${what}`);
    await answer.body?.cancel();
    await wait(1000 * 2 ** (attempt - 1));
  }
}

function isPassing({status, headers}) {
  const page = (headers.get('content-type') ?? '').startsWith('text/html');
  return status === 429 || status >= 500 || (status === 403 && page);
}
