import type {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Store, TagEvent} from '../../src/demo/store.ts';
import {algorithmOf, type Digest, Hasher} from '../../src/oci/digest.ts';
import {parseManifest} from '../../src/oci/manifest.ts';
import {outputs} from '../../src/report/outputs.ts';
import {Redactor} from '../../src/report/redact.ts';
import {circumstances, failures, hasFailed} from '../../src/report/verdict.ts';
import type {Foreign, MirrorRun} from './mirror-run.ts';

/** How a run is to end. */
export type Expected =
  | 'complete'
  | {
      /** What the failures have to say, all together: each of these. */
      readonly refused: RegExp | readonly (RegExp | string)[];
    };

/** What a target held before a run. */
export interface Snapshot {
  readonly tags: ReadonlyMap<string, Digest>;
  readonly events: number;
}

/** What the target holds now. */
export function snapshotOf(store: Store): Snapshot {
  const tags = new Map<string, Digest>();
  for (const repository of store.repositories()) {
    for (const tag of store.tags(repository)) {
      const digest = store.tag(repository, tag);
      if (digest !== undefined) tags.set(`${repository}:${tag}`, digest);
    }
  }
  return {tags, events: store.tagEvents.length};
}

/** All that the oracle looks at. */
export interface Case {
  readonly run: MirrorRun;
  readonly source: EmbeddedRegistry;
  readonly target: EmbeddedRegistry;
  readonly before: Snapshot;
  readonly expected: Expected;
  /** Hosts that registries named: no credentials, and no bytes of an image, may come there. */
  readonly foreign?: readonly Foreign[];
  /** Secrets that must not be told, beside the tokens and signatures that the servers saw. */
  readonly secrets?: readonly string[];
  /** The longest that the run may sleep, in milliseconds of its clock; default 15 minutes. */
  readonly longest?: number;
}

const minute = 60_000;
/** No run of a test may really take longer, in milliseconds, whatever stalls in it. */
const longestReal = 30_000;

/**
 * Everything that is wrong with a run, in words; a pass is an empty list. It looks at the outcome,
 * every tag down to the bytes of its blobs and to what the registry last said of them, the moments at which tags were set, the tags of before,
 * foreign hosts, the time, the messages, the outputs, open uploads and secrets.
 */
export function judge(one: Case): string[] {
  const {run, before, target, expected} = one;
  const store = target.store;
  const failed = hasFailed(run.record);
  const told = tellOf(run);
  return [
    ...(failed === (expected === 'complete')
      ? [`it ${failed ? `failed: ${told}` : 'succeeded'}`]
      : []),
    ...tagFindings(store, before, failed),
    ...(failed ? [] : wordFindings(target, before)),
    ...momentFindings(store.tagEvents.slice(before.events)),
    ...foreignFindings(one),
    ...timeFindings(one),
    ...(expected === 'complete' ? [] : messageFindings(one, told, expected.refused)),
    ...outputFindings(one, failed),
    ...openUploads(target),
    ...secretFindings(one)
  ];
}

/** What the failures of a run say, with their circumstances. */
export function tellOf({record}: MirrorRun): string {
  return failures(record)
    .map(({error}) => [error.message, error.advice ?? '', ...circumstances(error)].join(' | '))
    .join('\n');
}

/** Every tag is complete down to the bytes, and after a failure those of before are where they were. */
function tagFindings(store: Store, before: Snapshot, failed: boolean): string[] {
  const findings: string[] = [];
  const now = snapshotOf(store);
  for (const [name, digest] of now.tags) {
    const cut = name.lastIndexOf(':');
    const repository = name.slice(0, cut);
    if (before.tags.get(name) === digest && failed) continue;
    findings.push(...holesBelow(store, repository, digest).map(hole => `${name}: ${hole}`));
  }
  for (const [name, digest] of before.tags) {
    const current = now.tags.get(name);
    if (current === undefined) findings.push(`${name} has gone`);
    else if (failed && current !== digest) findings.push(`${name} moved although the run failed`);
  }
  return findings;
}

/** A tag that was set over a blob of which the registry's last word was that it does not have it. */
function wordFindings({store, requests}: EmbeddedRegistry, before: Snapshot): string[] {
  const absent = new Set<string>();
  for (const {method, kind, path, query, repository = '', status} of requests) {
    const parameters = new URLSearchParams(query);
    const digest =
      kind === 'blob'
        ? path.slice(path.lastIndexOf('/') + 1)
        : (parameters.get('digest') ?? parameters.get('mount') ?? '');
    const key = `${repository}@${digest}`;
    if (kind === 'blob' && status === 404 && ['GET', 'HEAD'].includes(method)) absent.add(key);
    // Whoever says where it is to be had has it.
    else if ([200, 201, 206, 307].includes(status)) absent.delete(key);
  }
  return [...snapshotOf(store).tags]
    .filter(([name, digest]) => before.tags.get(name) !== digest)
    .flatMap(([name, digest]) => {
      const repository = name.slice(0, name.lastIndexOf(':'));
      return blobsBelow(store, repository, digest)
        .filter(blob => absent.has(`${repository}@${blob}`))
        .map(blob => `${name} was set although ${blob} is not there by the registry's last word`);
    });
}

function blobsBelow(store: Store, repository: string, root: Digest): Digest[] {
  const manifest = store.manifest(repository, root);
  if (manifest === undefined) return [];
  const parsed = parseManifest(manifest.body, manifest.mediaType);
  return parsed.kind === 'index'
    ? parsed.manifests.flatMap(child => blobsBelow(store, repository, child.digest))
    : [parsed.config, ...parsed.layers].map(({digest}) => digest);
}

/** What is missing or wrong below a manifest, looked at byte by byte. */
export function holesBelow(store: Store, repository: string, root: Digest): string[] {
  const manifest = store.manifest(repository, root);
  if (manifest === undefined) return [`the manifest ${root} is absent`];
  const findings: string[] = [];
  if (digestOfBytes([manifest.body], root) !== root) findings.push(`${root} has other bytes`);
  const parsed = parseManifest(manifest.body, manifest.mediaType);
  if (parsed.kind === 'index') {
    return [
      ...findings,
      ...parsed.manifests.flatMap(child => holesBelow(store, repository, child.digest))
    ];
  }
  for (const {digest, size, urls} of [parsed.config, ...parsed.layers]) {
    if (urls !== undefined && urls.length > 0) continue;
    const content = store.blob(repository, digest);
    if (content === undefined) findings.push(`the blob ${digest} is absent`);
    else if (content.size !== size) findings.push(`the blob ${digest} has ${content.size} bytes`);
    else if (digestOfBytes(content.pieces(0, size), digest) !== digest)
      findings.push(`the blob ${digest} has other bytes`);
  }
  return findings;
}

function digestOfBytes(pieces: Iterable<Buffer>, digest: Digest): Digest {
  const hasher = new Hasher(algorithmOf(digest));
  for (const piece of pieces) hasher.update(piece);
  return hasher.digest();
}

function momentFindings(events: readonly TagEvent[]): string[] {
  return events
    .filter(({holes}) => holes.length > 0)
    .map(({repository, tag, holes}) => `${repository}:${tag} was set over ${holes.length} holes`);
}

function foreignFindings({foreign = []}: Case): string[] {
  return foreign.flatMap(({name, requests}) =>
    requests.flatMap(({method, path, authorization, bytesIn, headers}) => [
      ...(authorization === 'none' ? [] : [`${method} ${name}${path} carried ${authorization}`]),
      ...(bytesIn === 0 ? [] : [`${method} ${name}${path} carried ${bytesIn} bytes`]),
      ...(headers.cookie === undefined ? [] : [`${method} ${name}${path} carried a cookie`]),
      ...(method === 'GET' || method === 'HEAD' ? [] : [`${method} was sent to ${name}`])
    ])
  );
}

function timeFindings({run, longest = 15 * minute}: Case): string[] {
  return [
    ...(run.slept > longest ? [`it waited ${Math.round(run.slept / 1000)} s`] : []),
    ...(run.took > longestReal ? [`it took ${Math.round(run.took / 1000)} s`] : [])
  ];
}

function messageFindings(
  {run, source, target}: Case,
  told: string,
  wanted: RegExp | readonly (RegExp | string)[]
): string[] {
  const patterns: readonly (RegExp | string)[] = wanted instanceof RegExp ? [wanted] : wanted;
  const missing = patterns.filter(one =>
    typeof one === 'string' ? !told.includes(one) : !one.test(told)
  );
  const {record} = run;
  const hosts = [record.source.registry, record.target.registry, source.name, target.name];
  return [
    ...missing.map(one => `no failure says ${String(one)}: ${told}`),
    ...(hosts.some(host => told.includes(host)) ? [] : [`no failure names its registry: ${told}`]),
    ...failures(record)
      .filter(({error}) => error.host !== undefined && (error.attempts ?? 0) < 1)
      .map(({error}) => `no attempts are told: ${error.message}`)
  ];
}

/** The outputs say what the registry has, and nothing else. */
function outputFindings({run, target, before}: Case, failed: boolean): string[] {
  const {record} = run;
  const said = outputs(record, {redactor: new Redactor()});
  const {store} = target;
  const findings: string[] = [];
  const events = store.tagEvents.slice(before.events);
  const moved = [...snapshotOf(store).tags].some(
    ([name, digest]) => before.tags.get(name) !== digest
  );
  // A tag that could not be read before is put once more to what it stands for: that may count.
  const put = events.length > 0 ? ['true', 'false'] : ['false'];
  if (!failed && !(moved ? ['true'] : put).includes(said.get('changed') ?? ''))
    findings.push(`changed is ${said.get('changed') ?? 'absent'}`);
  for (const release of record.releases) {
    for (const {name, status, digest, target: place} of release.images) {
      if (!release.published || (status !== 'copied' && status !== 'present')) continue;
      const tagged = store.tag(place.repository, place.tag ?? '');
      if (tagged !== digest)
        findings.push(`${name} is ${status}, but its tag reads ${tagged ?? 'absent'}`);
      if (
        release.tag === said.get('release') &&
        said.get(name)?.endsWith(`@${digest ?? ''}`) !== true
      )
        findings.push(`the output ${name} is ${said.get(name) ?? 'absent'}`);
    }
    if (failed && said.get('release') === release.tag && !release.published)
      findings.push(`the output release is ${release.tag}, which is not published`);
  }
  if (!failed && record.releases.length === 0) findings.push('nothing was mirrored');
  return findings;
}

/**
 * Uploads that stay open although they could have been cancelled. They could not where no good address
 * of them has reached the client; and where the registry was asked to drop one and has not, or for leave
 * to ask that and gave none, it is the registry's doing.
 */
export function openUploads({store, requests}: EmbeddedRegistry): string[] {
  const asked = requests.filter(({method}) => method === 'DELETE').map(({path}) => path);
  const withheld = (repository: string) => {
    const leave = requests.filter(({query}) =>
      new URLSearchParams(query).getAll('scope').includes(`repository:${repository}:delete`)
    );
    return leave.length > 0 && leave.every(({status}) => status !== 200);
  };
  return store.sessions
    .filter(({id, known}) => known && !asked.some(path => path.includes(id)))
    .filter(({repository}) => !withheld(repository))
    .map(({repository, offset}) => `an upload of ${repository} stays open at ${offset}`);
}

/** Nothing that a server was shown in confidence is in a line or in the record. */
function secretFindings({run, source, target, foreign = [], secrets = []}: Case): string[] {
  const {reporter, record} = run;
  const hidden = new Set(secrets);
  for (const {requests} of [source, target, ...foreign]) {
    for (const {headers, query} of requests) {
      const value = headers.authorization?.split(' ')[1];
      if (value !== undefined) hidden.add(value);
      for (const [name, text] of new URLSearchParams(query)) {
        if (['sig', '_state', 'X-Amz-Signature'].includes(name) && text !== '') hidden.add(text);
      }
    }
  }
  const text = [...reporter.lines.map(line => line.text), JSON.stringify(record)].join('\n');
  return [...hidden]
    .filter(secret => secret.length > 3 && text.includes(secret))
    .map(secret => `a secret was told: ${secret.slice(0, 12)}…`);
}
