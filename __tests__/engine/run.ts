import {join} from 'node:path';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {type SeededRelease, seedRelease} from '../../src/demo/sample.ts';
import type {GivenValue} from '../../src/inputs/given.ts';
import type {InputName} from '../../src/inputs/table.ts';
import {readSettings, type Settings} from '../../src/inputs.ts';
import {main} from '../../src/main.ts';
import type {RunRecord} from '../../src/report/record.ts';
import type {Reporter} from '../../src/report/reporter.ts';
import {noUndo} from '../../src/run/saved.ts';
import {makePlace, type Place, type Recorded, recordedLog} from '../docker/fake.ts';
import type {FakeDaemon} from './fake-daemon.ts';

/** A release of three images, one of them for two platforms. */
export const tag = 'v1.46.0_2026-05-12';
export const names = ['arc-bootstrapper', 'arc-controller', 'arc-monitor-telegraf'] as const;
export const repository = 'mirror/arcdata';

/** Two embedded registries, the release in the first of them, and a PATH with a docker on it. */
export interface Scene extends AsyncDisposable {
  readonly source: EmbeddedRegistry;
  readonly target: EmbeddedRegistry;
  readonly place: Place;
  readonly daemon: FakeDaemon | undefined;
  readonly release: SeededRelease;
  /** Runs the story with the docker engine, in this process. */
  run(how?: {
    readonly inputs?: Readonly<Partial<Record<InputName, string>>>;
    readonly settings?: Partial<Settings>;
    readonly signal?: AbortSignal;
    readonly env?: Readonly<Record<string, string>>;
  }): Promise<Ran>;
}

/** A run that has ended. */
export interface Ran {
  readonly record: RunRecord;
  readonly log: Recorded;
  /** What docker was started with, all runs of the scene together. */
  readonly commands: () => Promise<readonly string[]>;
}

/** Sets a scene. @param daemon whose client is on PATH; none when absent */
export async function setScene(
  daemon?: FakeDaemon,
  target?: Parameters<typeof EmbeddedRegistry.start>[0]
): Promise<Scene> {
  const place = await makePlace();
  const registries = {
    source: await EmbeddedRegistry.start(),
    target: await EmbeddedRegistry.start(target)
  };
  const release = seedRelease(registries.source.store, 'arcdata', {tag, names, month: 1});
  if (daemon !== undefined) await place.serve('docker', daemon.answer);
  return {
    ...registries,
    daemon,
    place,
    release,
    async run({inputs = {}, settings, signal, env = {}} = {}) {
      const log = recordedLog();
      const given = new Map<InputName, GivenValue>(
        Object.entries({
          'source-registry': registries.source.name,
          'source-tag': tag,
          'target-registry': registries.target.name,
          'target-repository': repository,
          'insecure-registries': `${registries.source.name}\n${registries.target.name}`,
          images: names.join('\n'),
          engine: 'docker',
          'lock-file': join(place.temp, 'lock.json'),
          ...inputs
        }).map(([name, value]) => [name as InputName, {value, origin: 'flag'}])
      );
      const record = await main(
        {...readSettings(given, log, place.env), ...settings},
        {
          reporter: quiet(log),
          env: {...place.env, ...env},
          signal: signal ?? new AbortController().signal,
          runnerTemp: place.temp,
          undo: noUndo
        }
      );
      return {
        record,
        log,
        commands: async () => (await place.calls()).map(({argv}) => argv.join(' '))
      };
    },
    async [Symbol.asyncDispose]() {
      for (const one of [registries.source, registries.target, place])
        await one[Symbol.asyncDispose]();
    }
  };
}

function quiet(log: Recorded): Reporter {
  return {
    log,
    group: (_, body) => body(),
    planned: () => undefined,
    progress: () => ({moved: () => undefined, [Symbol.dispose]: () => undefined}),
    finish: record => Promise.resolve(record)
  };
}
