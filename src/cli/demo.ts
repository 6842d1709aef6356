import {mkdtemp, rm} from 'node:fs/promises';
import {join} from 'node:path';

import {EmbeddedRegistry} from '../demo/registry.ts';
import {seedRelease} from '../demo/sample.ts';
import {type Given, type GivenValue} from '../inputs/given.ts';
import type {InputName} from '../inputs/table.ts';
import {readSettings} from '../inputs.ts';
import {main, type Stage} from '../main.ts';
import {hasFailed} from '../report/verdict.ts';

const months = ['v1.45.0_2026-04-14', 'v1.46.0_2026-05-12'] as const;

/**
 * The newcomer's first look: two registries of our own on loopback, a sample release in one of them,
 * and the real thing between them. Three runs tell the story: a first mirror, the next month that
 * moves only what is new, and the same again, which finds everything in its place.
 * @returns the exit code
 */
export async function demo(stage: Stage): Promise<number> {
  const {log} = stage.reporter;
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start();
  months.forEach((tag, i) => {
    seedRelease(source.store, 'arcdata', {tag, seed: 1, month: i + 1});
  });
  const folder = await mkdtemp(join(stage.runnerTemp, 'arcdata-mirror-demo-'));
  const mirror = async (tag: string) => {
    const given = new Map<InputName, string>([
      ['source-registry', source.name],
      ['source-repository', 'arcdata'],
      ['source-tag', tag],
      ['target-registry', target.name],
      ['target-repository', 'mirror/arcdata'],
      ['insecure-registries', `${source.name}\n${target.name}`],
      ['lock-file', join(folder, 'release.lock.json')]
    ]);
    return await main(readSettings(flags(given), log, stage.env), stage);
  };
  try {
    log.info(
      'Two registries have been started on this machine, with a sample release in the first one.'
    );
    log.info(`  source ${source.url}   target ${target.url}\n`);
    const runs = [
      {title: 'The first month: everything travels, each byte once', tag: months[0]},
      {title: 'The next month: only what is new travels', tag: months[1]},
      {
        title: 'The same again: everything is in its place, checked down to every blob',
        tag: months[1]
      }
    ];
    for (const [i, {title, tag}] of runs.entries()) {
      log.info(`\n━━ ${i + 1} of ${runs.length}  ${title} ━━`);
      const record = await mirror(tag);
      if (hasFailed(record)) return 1;
    }
    log.info(
      '\nAll of it was on this machine, and is gone again, the lock file too. The same program without "demo" mirrors to your own registry: it asks what it needs to know.'
    );
    return 0;
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
}

/** The JSON records of the runs as one document. */
export function demoDocument(records: readonly string[]): string {
  const runs = records.map(record => JSON.parse(record) as unknown);
  return `${JSON.stringify({schemaVersion: 1, runs})}\n`;
}

function flags(values: ReadonlyMap<InputName, string>): Given {
  return new Map(
    [...values].map(([name, value]): [InputName, GivenValue] => [name, {value, origin: 'flag'}])
  );
}
