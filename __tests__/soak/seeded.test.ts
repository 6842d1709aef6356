import {afterAll, describe, expect, test} from '@jest/globals';

import {BlobHost} from '../../src/demo/blob-host.ts';
import {type Profile, profiles} from '../../src/demo/profiles.ts';
import {Random} from '../../src/demo/random.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Effect, Rule, RuleMatch} from '../../src/demo/rules.ts';
import {hasFailed} from '../../src/report/verdict.ts';
import {EndedError} from '../../src/run/time-limit.ts';
import {previous, release} from '../support/fault-world.ts';
import {knownAs, prepareFor} from '../support/known.ts';
import {mirrorRun, shortTimings, smallBounds} from '../support/mirror-run.ts';
import {judge, openUploads, snapshotOf, tellOf} from '../support/oracle.ts';
import {earlierTag, putRelease, smallNames, smallTag} from '../support/small-release.ts';
import {VirtualClock} from '../support/virtual-clock.ts';

/** How many runs, and the seed of the first one: a run's own seed repeats it alone. */
const runs = Number(process.env.SOAK_RUNS ?? 40);
const first = Number(process.env.SOAK_SEED ?? 20_260_512);

type Side = 'source' | 'target';
interface Fault {
  readonly side: Side;
  readonly rule: Rule;
}

const pick = <T>(random: Random, all: readonly T[]): T => {
  const one = all[random.between(0, all.length - 1)];
  if (one === undefined) throw new Error('nothing to pick from');
  return one;
};

/** One fault of the matrix, somewhere, some time, so often. */
function faultOf(random: Random): Fault {
  const side = pick<Side>(random, ['source', 'target', 'target']);
  const on: RuleMatch =
    side === 'source'
      ? pick<RuleMatch>(random, [
          {},
          {kind: 'blob'},
          {kind: 'manifest'},
          {kind: 'token'},
          {kind: 'tags'},
          {kind: 'blob', ranged: true}
        ])
      : pick<RuleMatch>(random, [
          {},
          {kind: 'upload'},
          {kind: 'upload', method: 'PUT'},
          {kind: 'upload', method: 'PATCH'},
          {kind: ['upload', 'mount'], method: 'POST'},
          {kind: 'mount'},
          {kind: 'manifest', method: 'PUT'},
          {kind: 'manifest', method: ['HEAD', 'GET']},
          {kind: 'blob', method: ['HEAD', 'GET']},
          {kind: 'token'}
        ]);
  const bytes = pick(random, [0, 1, 1000, 19_999, 500_000, 1_500_000, 4_000_000]);
  const how = pick(random, ['reset', 'end', 'stall'] as const);
  const answer = (status: number): Effect => ({
    effect: 'answer',
    status,
    ...(status === 429 && {headers: {'Retry-After': String(random.between(0, 40))}}),
    ...(random.fraction() < 0.3 && {after: bytes, then: pick(random, ['close', 'reset'] as const)}),
    body: pick(random, [
      {html: '<p>sorry'},
      '',
      {errors: [{code: pick(random, ['UNKNOWN', 'BLOB_UPLOAD_INVALID', 'DENIED']), message: 'no'}]}
    ])
  });
  const effects: readonly Effect[] = [
    answer(pick(random, [500, 502, 503, 504, 429, 408])),
    answer(pick(random, [401, 403, 404, 405, 413, 416, 400])),
    {effect: 'drop', how: how === 'stall' ? 'reset' : how},
    {effect: 'stall'},
    {effect: 'cut-download', after: bytes, how},
    {effect: 'cut-upload', after: bytes, how: how === 'stall' ? 'end' : how},
    {effect: 'stall-upload', after: bytes},
    {effect: 'lose-answer', how},
    {effect: 'flip', at: bytes},
    {effect: 'gzip'},
    {effect: 'ignore-range'},
    {effect: 'vanish'},
    {effect: 'lose-session'},
    {effect: 'missing'},
    {effect: 'revoke-tokens'},
    {effect: 'take', bytes, status: pick(random, [202, 416] as const)},
    {effect: 'max-body', bytes: pick(random, [1, 2, 4]) * 1_048_576},
    {effect: 'close-after', requests: random.between(1, 5), announced: random.fraction() < 0.5},
    {effect: 'headers', set: {'Docker-Content-Digest': null}},
    {effect: 'headers', set: {'Content-Type': 'application/json'}},
    {effect: 'location', mode: pick(random, ['relative', 'query', 'no-slash', 'missing'] as const)},
    {effect: 'delay', ms: random.between(1, 200)}
  ];
  const often = random.fraction();
  return {
    side,
    rule: {
      on,
      skip: random.between(0, 12),
      times: often < 0.85 ? random.between(1, 8) : 'always',
      ...(often > 0.93 && {window: {to: random.between(1, 120) * 1000}}),
      do: pick(random, effects)
    }
  };
}

const totals = {complete: 0, refused: 0, cancelled: 0};
const all = Object.keys(profiles) as Profile[];
const auth = {username: 'robot', password: 'pass word'} as const;

/** What stands at the target before: nothing, another image under the tag, or a part of the release. */
function stand(random: Random, {store}: EmbeddedRegistry): 'nothing' | 'previous' | 'half' {
  const standing = pick(random, ['nothing', 'previous', 'half'] as const);
  if (standing !== 'nothing')
    putRelease(store, 'mirror/arcdata', standing === 'half' ? release : previous);
  if (standing === 'half') {
    const name = pick(random, smallNames);
    const image = release.images.get(name);
    const blobs = [
      ...(image?.blobs ?? []),
      ...(image?.children ?? []).flatMap(child => child.blobs)
    ];
    for (const {digest} of blobs) {
      if (random.fraction() < 0.5) store.deleteBlob(`mirror/arcdata/${name}`, digest);
    }
  }
  return standing;
}

/** A cancel when the target gets its n-th request. */
function cancelAt(requests: number, target: EmbeddedRegistry): AbortSignal {
  const controller = new AbortController();
  target.rule({
    on: {},
    skip: requests,
    name: 'cancel',
    do: {
      effect: 'custom',
      run: () => {
        controller.abort(new Cancelled('the run was cancelled', 'Run again.'));
        return false;
      }
    }
  });
  return controller.signal;
}

/** When a run was cancelled, in milliseconds since the epoch. */
function cancelledAt({reason}: AbortSignal): number {
  return reason instanceof Cancelled ? reason.at : 0;
}

class Cancelled extends EndedError {
  readonly at = Date.now();
}

async function soak(seed: number): Promise<string[]> {
  const random = new Random(Random.seedOf('soak', seed));
  const clock = new VirtualClock();
  const kind = pick(random, ['bearer', 'basic'] as const);
  const profile = pick(random, all);
  const sourceProfile = pick(random, all);
  // Whoever answers 401 of what does not exist has to say how to sign in.
  const signIn = random.fraction() < 0.5 || profile === 'dockerhub';
  await using source = await EmbeddedRegistry.start({
    ...{now: clock.now, profile: sourceProfile},
    auth: {...auth, kind, anonymousPull: true}
  });
  // Beside what the profiles are: mounts nothing, and shows every blob in all repositories.
  const onePlace = seed % 8 === 0 && ({mount: 'never', blobsIn: 'registry'} as const);
  await using target = await EmbeddedRegistry.start({
    ...{now: clock.now, profile},
    character: {manifestTypes: 'all', ...onePlace},
    verifyReferences: random.fraction() < 0.5,
    ...(signIn && {auth: {...auth, kind}})
  });
  await using sink = await BlobHost.start({store: source.store});
  putRelease(source.store, 'arcdata', release);
  prepareFor(profile, target, 'mirror/arcdata', smallNames);
  const standing = stand(random, target);
  const two = random.fraction() < 0.4;
  if (two) putRelease(source.store, 'arcdata', previous, earlierTag);
  const faults = Array.from({length: random.between(1, 4)}, () => faultOf(random));
  for (const {side, rule} of faults) (side === 'source' ? source : target).rule(rule);
  const cancel = random.fraction() < 0.15 ? random.between(1, 120) : undefined;
  const inputs = {
    ...(signIn && {'target-username': auth.username, 'target-password': auth.password}),
    ...(two && {'source-tag': `${earlierTag}\n${smallTag}`})
  };
  const quirks = random.fraction() < 0.5 ? knownAs(profile, target) : smallBounds;
  const findings: string[] = [];
  for (const phase of ['with faults', 'clean'] as const) {
    const faulty = phase === 'with faults';
    if (!faulty) {
      source.clearRules();
      target.clearRules();
    }
    const before = snapshotOf(target.store);
    const signal = faulty && cancel !== undefined ? cancelAt(cancel, target) : undefined;
    const run = await mirrorRun({
      ...{source, target, clock, inputs, network: {timings: shortTimings, quirks}},
      ...(signal && {signal})
    });
    const failed = hasFailed(run.record);
    const cancelled = failed && signal?.aborted === true;
    // A cancel that meets the very end finds a run that has failed for another reason.
    const late = cancelled && cancelledAt(signal) > run.record.finishedAt.getTime() - 100;
    if (faulty) totals[cancelled ? 'cancelled' : failed ? 'refused' : 'complete']++;
    for (let i = 0; i < 20 && openUploads(target).length > 0; i++)
      await new Promise(resolve => setTimeout(resolve, 10));
    const found = judge({
      ...{run, source, target, before},
      expected:
        !faulty || !failed ? 'complete' : {refused: cancelled && !late ? ['was cancelled'] : []},
      foreign: [sink, source.blobHost, target.blobHost].filter(host => host !== undefined),
      secrets: [auth.password],
      longest: 3_600_000
    }).filter(
      finding =>
        // What stood there half already is not a finding until a run says that it is complete.
        !(failed && standing === 'half' && finding.endsWith('is absent')) &&
        !(cancelled && finding.startsWith('no failure names its registry')) &&
        !isTold(finding, run.record.failure?.advice ?? '')
    );
    findings.push(...found.map(finding => `${phase}: ${finding}`));
    if (found.length > 0 && failed) findings.push(tellOf(run));
  }
  const setting = `${sourceProfile} to ${profile}${onePlace ? ' with blobs in one place' : ''}, ${standing}, ${two ? 'two' : 'one'}${cancel === undefined ? '' : `, cancelled at ${cancel}`}`;
  return findings.length === 0
    ? []
    : [`seed ${seed}, ${setting}: ${JSON.stringify(faults)}`, ...findings];
}

/** A registry that takes a tag and from then on refuses everything cannot be put back: it has to be said. */
function isTold(finding: string, advice: string): boolean {
  const moved = /\/([^/:]+):\S+ moved although the run failed$/.exec(finding)?.[1];
  const told = /The target took the tags of ([^;]*) and could not/.exec(advice)?.[1]?.split(', ');
  return moved !== undefined && told?.includes(moved) === true;
}

describe(`${runs} runs with faults from the seed ${first}`, () => {
  const parts = 10;
  test.each(Array.from({length: parts}, (_, i) => i))(
    'part %i',
    async part => {
      const findings: string[] = [];
      for (let i = part; i < runs; i += parts) findings.push(...(await soak(first + i)));
      expect(findings).toEqual([]);
    },
    120_000 + runs * 1000
  );

  afterAll(() => {
    // The seed has to be known when something was found.
    process.stdout.write(
      `soak: seed ${first}, ${totals.complete} complete, ${totals.refused} refused, ${totals.cancelled} cancelled\n`
    );
  });
});
