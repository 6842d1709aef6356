import {BlobHost} from '../../src/demo/blob-host.ts';
import {type EmbeddedOptions, EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Rule} from '../../src/demo/rules.ts';
import {Store} from '../../src/demo/store.ts';
import type {Network} from '../../src/run/registries.ts';
import {RuleWatch} from './idle-rules.ts';
import {type MirrorRun, mirrorRun, type MirrorRunOptions} from './mirror-run.ts';
import {type Expected, judge, openUploads, snapshotOf} from './oracle.ts';
import {putRelease, type SmallRelease, smallRelease} from './small-release.ts';
import {VirtualClock} from './virtual-clock.ts';

/** This month's release, at the source; and the one of before, which may stand under the same tag. */
export const release = smallRelease(2);
export const previous = smallRelease(1);

/** Two registries, a host that they may name, and one clock for all of them. */
export interface World {
  readonly source: EmbeddedRegistry;
  readonly target: EmbeddedRegistry;
  /** A host that registries may name. */
  readonly sink: BlobHost;
  /** What the sink has to give. */
  readonly sinkStore: Store;
  readonly clock: VirtualClock;
  readonly release: SmallRelease;
}

/** One line of the matrix: what goes wrong where, and how it is to end. */
export interface Row {
  /** The matrix's own number, such as `S1`. */
  readonly id: string;
  readonly name: string;
  readonly source?: readonly Rule[];
  readonly target?: readonly Rule[];
  readonly sourceOptions?: EmbeddedOptions;
  readonly targetOptions?: EmbeddedOptions;
  /** Whatever cannot be said by rules. */
  readonly prepare?: (world: World) => void | Promise<void>;
  /** The names that are used, where they are not the servers' own. */
  readonly names?: (world: World) => MirrorRunOptions['names'];
  readonly network?: Network;
  readonly inputs?: MirrorRunOptions['inputs'];
  readonly env?: NodeJS.ProcessEnv;
  readonly secrets?: readonly string[];
  readonly end: Expected;
  /** What else must be so afterwards: findings, none when all is well. */
  readonly also?: (world: World, run: MirrorRun) => readonly string[];
  readonly longest?: number;
  /** Some of the rules are to have no effect: that is the point. Else each of them is to have one. */
  readonly idle?: true;
}

/** Runs a row and gives what the oracle finds. */
export async function play(
  row: Row,
  standing: 'nothing' | 'previous' = 'nothing'
): Promise<string[]> {
  const clock = new VirtualClock();
  const now = clock.now;
  const store = new Store();
  await using source = await EmbeddedRegistry.start({now, profile: 'spec', ...row.sourceOptions});
  await using target = await EmbeddedRegistry.start({now, ...row.targetOptions});
  await using sink = await BlobHost.start({now, store, refuseAuthorization: false});
  putRelease(source.store, 'arcdata', release);
  if (standing === 'previous') putRelease(target.store, 'mirror/arcdata', previous);
  const watch = new RuleWatch();
  watch.add('source', source);
  watch.add('target', target);
  watch.add('sink', sink);
  for (const {blobHost} of [source, target]) if (blobHost) watch.add('blob host', blobHost);
  const world = {source, target, sink, sinkStore: store, clock, release};
  await row.prepare?.(world);
  for (const rule of row.source ?? []) source.rule(rule);
  for (const rule of row.target ?? []) target.rule(rule);
  const before = snapshotOf(target.store);
  const names = row.names?.(world);
  const run = await mirrorRun({
    source,
    target,
    clock,
    ...(names && {names}),
    ...(row.network && {network: row.network}),
    ...(row.inputs && {inputs: row.inputs}),
    ...(row.env && {env: row.env})
  });
  // An upload that was given up may be on its way to its end at the registry.
  for (let i = 0; i < 20 && openUploads(target).length > 0; i++)
    await new Promise(resolve => setTimeout(resolve, 10));
  const idle = watch.idle();
  const hosts = [source.blobHost, target.blobHost, sink].filter(host => host !== undefined);
  return [
    ...judge({
      run,
      source,
      target,
      before,
      expected: row.end,
      foreign: hosts,
      ...(row.secrets && {secrets: row.secrets}),
      ...(row.longest !== undefined && {longest: row.longest})
    }),
    ...(row.idle !== true ? idle : idle.length > 0 ? [] : ['it is marked idle, and no rule is']),
    ...(row.also?.(world, run) ?? [])
  ];
}
