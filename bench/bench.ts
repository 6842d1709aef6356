import {appendFile, writeFile} from 'node:fs/promises';

import {boundsOf, holds} from './bounds.ts';
import {sample, type Sample} from './figures.ts';
import {helpText, type Options, readOptions} from './options.ts';
import {findTools} from './peers.ts';
import {checklist, headingOf, oursFailed, writeReport} from './report.ts';
import {type Series, seriesOf} from './series.ts';
import {type Run, Session} from './session.ts';
import {table} from './table.ts';
import type {Tool} from './tool.ts';
import {openWorkload, warmUp} from './workload.ts';

/** A series with what came of it. */
export interface Outcome {
  readonly series: Series;
  readonly runs: readonly Run[];
  readonly samples: readonly Sample[];
}

/** The whole bench. @returns the exit code */
export async function bench(argv: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = readOptions(argv);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${helpText}`);
    return 2;
  }
  if (options.help) {
    say(helpText);
    return 0;
  }
  const wanted = seriesOf(options);
  const names = new Set(wanted.flatMap(({tools, once}) => [...tools, ...once]));
  await using found = await findTools(names, options.bundle);
  if (options.json !== undefined) await writeFile(options.json, '');
  const outcomes = await measure(wanted, found.tools, options);
  for (const {series, runs, samples} of outcomes) {
    say(`\n${headingOf(series)}\n\n${table(samples)}\n`);
    for (const {tool, failure} of runs) {
      if (failure !== undefined) say(`\n${tool} failed: ${failure}\n`);
    }
  }
  const measured = boundsOf(outcomes).filter(bound => holds(bound) !== undefined);
  say(`\n${checklist(measured)}\n`);
  if (found.missing.length > 0) say(`\nNot found: ${found.missing.join(', ')}\n`);
  if (options.out !== undefined) {
    await writeReport(options.out, outcomes, found.tools, found.missing);
  }
  return oursFailed(outcomes) ? 1 : 0;
}

async function measure(
  wanted: readonly Series[],
  tools: readonly Tool[],
  options: Options
): Promise<readonly Outcome[]> {
  const runs = new Map<Series, Run[]>(wanted.map(series => [series, []]));
  // One session for each pair: the ports stay, and with them what the tools remember.
  const places = new Map(
    wanted.map(({profile, scale}) => [`${profile} ${scale}`, {profile, scale}])
  );
  for (const {profile, scale} of places.values()) {
    const workload = await openWorkload(scale);
    await warmUp(workload);
    await using session = await Session.open(workload, profile, options.storage);
    const here = wanted.filter(one => one.profile === profile && one.scale === scale);
    const rounds = Math.max(...here.map(one => one.rounds));
    for (let round = 0; round < rounds; round++) {
      for (const series of here) {
        for (const tool of order(series, round, tools)) {
          const run = await session.run(tool, series.phase);
          runs.get(series)?.push(run);
          say(`${lineOf(run)}\n`);
          if (options.json !== undefined) {
            await appendFile(options.json, `${JSON.stringify(run)}\n`);
          }
        }
      }
    }
  }
  return wanted.map(series => {
    const all = runs.get(series) ?? [];
    const samples = [...new Set(all.map(({tool}) => tool))].flatMap(
      tool => sample(tool, all) ?? []
    );
    return {series, runs: all, samples};
  });
}

/** Every other round backwards: whatever drifts on the machine hits all alike. */
function order(series: Series, round: number, tools: readonly Tool[]): readonly Tool[] {
  const names = round === 0 ? [...series.tools, ...series.once] : series.tools;
  const due = names.flatMap(name => tools.find(tool => tool.name === name) ?? []);
  return round % 2 === 0 ? due : due.reverse();
}

function lineOf(run: Run): string {
  const {tool, profile, scale, phase, wall, cpu, foreign, pulled, pushed, requests, peak} = run;
  const mb = (bytes: number) => (bytes / 1_000_000).toFixed(1);
  return [
    `${profile} ${scale} ${phase}`.padEnd(24),
    tool.padEnd(16),
    `${wall.toFixed(2)} s`.padStart(9),
    `cpu ${cpu.toFixed(2)}`,
    `pulled ${mb(pulled)} pushed ${mb(pushed)}`,
    `requests ${requests.source}/${requests.target}`,
    ...(run.connections ? [`connections ${run.connections.source}/${run.connections.target}`] : []),
    `peak ${mb(peak)} MB`,
    `digests ${run.found.tagged}/${run.found.tags}`,
    `others' cpu ${foreign.toFixed(1)}`,
    ...(run.failure === undefined ? [] : ['FAILED'])
  ].join('  ');
}

function say(text: string): void {
  process.stdout.write(text);
}
