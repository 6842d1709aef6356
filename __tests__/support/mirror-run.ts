import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import type {BlobHost} from '../../src/demo/blob-host.ts';
import type {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Given, GivenValue} from '../../src/inputs/given.ts';
import type {InputName} from '../../src/inputs/table.ts';
import {readSettings} from '../../src/inputs.ts';
import type {Log} from '../../src/log.ts';
import type {RegistryName} from '../../src/oci/reference.ts';
import {main} from '../../src/main.ts';
import {type Quirks, quirksOf} from '../../src/registry/quirks.ts';
import type {Timings} from '../../src/registry/transport.ts';
import type {PlanFigures, Reporter} from '../../src/report/reporter.ts';
import type {RunRecord} from '../../src/report/record.ts';
import {noUndo} from '../../src/run/saved.ts';
import type {Network} from '../../src/run/registries.ts';
import {smallNames, smallTag} from './small-release.ts';
import {VirtualClock} from './virtual-clock.ts';

/** What a run said, level by level, and what it masked. */
export class RecordingReporter implements Reporter {
  readonly lines: {readonly level: string; readonly text: string}[] = [];
  readonly secrets: string[] = [];
  figures: PlanFigures | undefined;
  moved = 0;
  finished: RunRecord | undefined;

  readonly log: Log = {
    debug: text => void this.lines.push({level: 'debug', text}),
    info: text => void this.lines.push({level: 'info', text}),
    notice: text => void this.lines.push({level: 'notice', text}),
    warning: text => void this.lines.push({level: 'warning', text}),
    secret: value => void this.secrets.push(value)
  };

  async group<T>(_title: string, body: () => Promise<T>): Promise<T> {
    return await body();
  }

  planned(figures: PlanFigures): void {
    this.figures = figures;
  }

  progress() {
    return {
      moved: (bytes: number) => {
        this.moved += bytes;
      },
      [Symbol.dispose]: () => undefined
    };
  }

  finish(record: RunRecord): Promise<RunRecord> {
    this.finished = record;
    return Promise.resolve(record);
  }
}

/** Time limits that are real time: short, in the proportions of the usual ones. */
export const patientTimings: Timings = {
  connect: 5000,
  answer: 10_000,
  commit: 10_000,
  idle: 10_000
};
/** For tests in which something stalls. */
export const shortTimings: Timings = {connect: 1000, answer: 400, commit: 800, idle: 400};

export interface MirrorRunOptions {
  readonly source: EmbeddedRegistry;
  readonly target: EmbeddedRegistry;
  /** The names that are used, where they are not the servers' own. */
  readonly names?: {
    readonly source?: string;
    readonly target?: string;
    /** Another host that may be spoken to over plain http. */
    readonly plain?: string;
  };
  readonly clock?: VirtualClock;
  readonly network?: Network;
  /** Further inputs; they win over the usual ones. */
  readonly inputs?: Readonly<Partial<Record<InputName, string>>>;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  readonly reporter?: RecordingReporter;
}

/** A run that has ended, with all that can be looked at. */
export interface MirrorRun {
  readonly record: RunRecord;
  readonly reporter: RecordingReporter;
  /** How long it took by the clock of its waits, in milliseconds; what it did counts, too. */
  readonly waited: number;
  /** How much of that was slept through, in milliseconds: the same on a slow machine. */
  readonly slept: number;
  /** How long it really took, in milliseconds. */
  readonly took: number;
}

/** Foreign hosts, by what a run may do there: nothing but read what it was given a signed URL for. */
export type Foreign = Pick<BlobHost, 'name' | 'requests'>;

const MiB = 1024 * 1024;

/** What is known of a registry, with bounds that small blobs reach: whole up to 2 MiB, else PATCH. */
export function smallBounds(registry: RegistryName): Quirks {
  return {...quirksOf(registry), singlePut: 2 * MiB, chunk: 2 * MiB};
}

/** Runs the whole story in this process, from the settings to the report. */
export async function mirrorRun(options: MirrorRunOptions): Promise<MirrorRun> {
  const {source, target, clock = new VirtualClock(), inputs = {}, network} = options;
  const folder = await mkdtemp(join(tmpdir(), 'mirror-run-'));
  const reporter = options.reporter ?? new RecordingReporter();
  const names = {
    source: options.names?.source ?? source.name,
    target: options.names?.target ?? target.name
  };
  const given = new Map<string, string>([
    ['source-registry', names.source],
    ['source-repository', 'arcdata'],
    ['source-tag', smallTag],
    ['target-registry', names.target],
    ['target-repository', 'mirror/arcdata'],
    ['images', smallNames.join('\n')],
    ['lock-file', join(folder, 'release.lock.json')],
    [
      'insecure-registries',
      [
        source.url.startsWith('https:') ? '' : names.source,
        target.url.startsWith('https:') ? '' : names.target,
        options.names?.plain ?? ''
      ]
        .filter(name => name !== '')
        .join('\n')
    ],
    ...Object.entries(inputs)
  ]);
  // Nothing of this machine: no docker, no docker config.
  const env = {PATH: '', HOME: folder, DOCKER_CONFIG: join(folder, 'none'), ...options.env};
  const settings = readSettings(flags(given), reporter.log, env);
  const begun = {real: performance.now(), virtual: clock.now(), skipped: clock.skipped};
  try {
    const record = await main(settings, {
      reporter,
      env,
      runnerTemp: folder,
      signal: options.signal ?? new AbortController().signal,
      undo: noUndo,
      network: {clock, timings: patientTimings, quirks: smallBounds, ...network}
    });
    const took = performance.now() - begun.real;
    const waited = clock.now() - begun.virtual;
    return {record, reporter, took, waited, slept: clock.skipped - begun.skipped};
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
}

function flags(values: ReadonlyMap<string, string>): Given {
  return new Map(
    [...values].map(([name, value]): [InputName, GivenValue] => [
      name as InputName,
      {value, origin: 'flag'}
    ])
  );
}
