import {mkdtemp, rm} from 'node:fs/promises';
import {join} from 'node:path';

import {EmbeddedRegistry} from '../demo/registry.ts';
import {seedRelease} from '../demo/sample.ts';
import {type Given, type GivenValue} from '../inputs/given.ts';
import type {InputName} from '../inputs/table.ts';
import {readSettings} from '../inputs.ts';
import {main, type Stage} from '../main.ts';
import {messageOf} from '../report/lines.ts';
import {hasFailed} from '../report/verdict.ts';
import {UsageError} from './error.ts';

const months = ['v1.45.0_2026-04-14', 'v1.46.0_2026-05-12'] as const;

/**
 * The newcomer's first look: two registries of our own on loopback, a sample release in one of them,
 * and the real thing between them. Three runs tell the story: a first mirror, the next month that
 * moves only what is new, and the same again, which finds everything in its place.
 * @param program - how this program is started, for what is told at the end
 * @returns the exit code
 */
export async function demo(stage: Stage, program: string): Promise<number> {
  const {log} = stage.reporter;
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start();
  months.forEach((tag, i) => {
    seedRelease(source.store, 'arcdata', {tag, seed: 1, month: i + 1});
  });
  const folder = await temporaryFolder(stage.runnerTemp);
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
      'A sample release lies in one registry on this machine, and is mirrored to another one. Both live in this process; nothing goes to the network, and nothing is left behind.'
    );
    log.info(`  source  ${source.url}/arcdata\n  target  ${target.url}/mirror/arcdata`);
    const runs = [
      {title: 'The first month: everything travels, each byte once', tag: months[0]},
      {title: 'The next month: only what is new travels', tag: months[1]},
      {
        title: 'The same again: everything is in its place, checked down to every blob',
        tag: months[1]
      }
    ];
    for (const [i, {title, tag}] of runs.entries()) {
      log.info(`\n━━ ${i + 1} of ${runs.length}  ${title} ━━\n`);
      const record = await mirror(tag);
      if (hasFailed(record)) return 1;
    }
    log.info(next(program));
    return 0;
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
}

/** @throws UsageError when there is no place for one */
async function temporaryFolder(below: string): Promise<string> {
  try {
    return await mkdtemp(join(below, 'arcdata-mirror-demo-'));
  } catch (error) {
    throw new UsageError(
      `No folder can be made in ${below}, where temporary files go: ${messageOf(error)}. Name another place in TMPDIR.`
    );
  }
}

/** What a newcomer may do next. */
function next(program: string): string {
  return `
━━ What next ━━

See what the newest release would move to your registry; it asks for the names, and moves nothing:
  ${program} --dry-run

Mirror it:
  ${program}

Every week, by itself, as a step of a workflow:
  - uses: arcdata-mirror/arcdata-mirror@v1
    with:
      source-tag: catch-up
      target-registry: myregistry.azurecr.io
      target-repository: arcdata

All flags are told by --help, and all the rest by README.md.`;
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
