import {execFile} from 'node:child_process';
import {mkdir, writeFile} from 'node:fs/promises';
import {cpus, release, totalmem} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {programOnPath} from '../__tests__/support/program.ts';
import type {Outcome} from './bench.ts';
import {type Bound, boundsOf, holds} from './bounds.ts';
import type {Phase} from './phase.ts';
import {plot} from './plot.ts';
import {type Series, us} from './series.ts';
import {line} from './session.ts';
import {table} from './table.ts';
import type {Tool} from './tool.ts';
import {openWorkload, weigh, type Weights} from './workload.ts';

const run = promisify(execFile);

const phaseNames: Readonly<Record<Phase, string>> = {
  cold: 'the target is empty',
  unchanged: 'everything is there already',
  next: 'the next month, a fifth of the bytes new',
  rebuilt: 'the next month upon a rebuilt operating-system base',
  killed: 'finishing after a kill when half of the bytes had arrived'
};

/** Such as `Link, 100 MB: the target is empty`. */
export function headingOf({profile, scale, phase}: Series): string {
  const size = scale >= 1000 ? `${scale / 1000} GB` : `${scale} MB`;
  return `${profile === 'link' ? 'Link' : 'Loopback'}, ${size}: ${phaseNames[phase]}`;
}

/** The bounds as a list to be ticked off. */
export function checklist(bounds: readonly Bound[]): string {
  const rows = bounds.map(bound => {
    const {what, limit, value, unit} = bound;
    const verdict = {true: '✓', false: '**✗**', undefined: 'not measured'}[String(holds(bound))];
    const digits = (number: number) =>
      number >= 10 || Number.isInteger(number) ? number.toFixed(0) : number.toFixed(3);
    const measured = value === undefined ? '' : `${digits(value)}${unit}`;
    return `| ${what} | ${limit}${unit} | ${measured} | ${verdict ?? ''} |`;
  });
  return ['| at most | bound | measured | |', '| --- | ---: | ---: | --- |', ...rows].join('\n');
}

/** Writes performance.md and performance.svg into a folder. */
export async function writeReport(
  folder: string,
  outcomes: readonly Outcome[],
  tools: readonly Tool[],
  missing: readonly string[]
): Promise<void> {
  await mkdir(folder, {recursive: true});
  const svg = plot(outcomes, ({series}) => headingOf(series));
  await writeFile(join(folder, 'performance.svg'), svg);
  const path = join(folder, 'performance.md');
  await writeFile(path, await documentOf(outcomes, tools, missing));
  // Tables are written as the rest of the repository has them.
  await run(process.execPath, ['node_modules/prettier/bin/prettier.cjs', '--write', path]);
}

async function documentOf(
  outcomes: readonly Outcome[],
  tools: readonly Tool[],
  missing: readonly string[]
): Promise<string> {
  const scales = [...new Set(outcomes.map(({series}) => series.scale))];
  const shapes = await Promise.all(scales.map(shapeLine));
  const runs = outcomes.flatMap(outcome => outcome.runs);
  const noisy = runs.filter(({foreign, wall}) => foreign > noise * wall);
  const failed = runs.filter(({failure}) => failure !== undefined);
  const parts = [
    '# Performance',
    `How long it takes to mirror a release, side by side with other ways to copy the same images. Written by \`npm run bench\`; medians of the rounds, all tools between the same two registries on one machine, in alternating order.`,
    '![Seconds of each tool in each situation](performance.svg)',
    '## The bounds',
    checklist(boundsOf(outcomes)),
    '✓ is a bound that held; **✗** is one that this measurement missed: a goal that is not reached yet, shown as it was measured.',
    ...pricesOf(outcomes),
    '## What was measured',
    [
      ...shapes,
      `- **link**: a line of ${line.roundTrip} ms round trip and ${(line.rate * 8) / 1e6} Mbit/s each way in front of each registry, with slow start on every connection and two round trips to open one. **loopback**: nothing between.`,
      '- **pulled** and **pushed** are shares of the unique bytes, or of those that changed; where nothing has to travel, megabytes. **per blob** is requests to the target for each unique or changed blob. **digests** are tags, and manifests below an index, that are at the target exactly as at the source.',
      '- **CPU** is that of the tool and everything it starts, its daemon included. **peak** is the largest process, and all of them together where there are many.',
      `- **floor** splices the unique blobs from socket to socket inside the kernel: no digest is checked, no manifest is read, no mount is made, and no tag is set. It is a bound, not a way to mirror.`
    ].join('\n'),
    ...outcomes.flatMap(({series, samples}) => [`### ${headingOf(series)}`, table(samples)]),
    ...(failed.length === 0
      ? []
      : [
          `Runs that failed and do not count: ${failed.map(({tool, phase}) => `${tool} (${phase})`).join(', ')}.`
        ]),
    '## Where it was measured',
    [
      `- ${machine()}`,
      `- docker-registry ${await registryVersion()}, filesystem storage`,
      ...tools.map(({name, version}) => `- ${name}: ${version}`),
      ...(missing.length === 0 ? [] : [`- Not found, and so not measured: ${missing.join(', ')}`]),
      noisy.length === 0
        ? '- Nothing else ran on the machine meanwhile.'
        : `- In ${noisy.length} of ${runs.length} runs other programs used more than a tenth of a core.`
    ].join('\n'),
    '## To repeat it',
    '`bench/peers.sh` fetches newer crane, oras and skopeo beside those of the machine; it may be left out. `npm run bench` measures all of the above, and its `--help` shows how to measure a part of it.',
    ['```sh', 'npm ci', 'npm run build', 'bench/peers.sh', 'npm run bench', '```'].join('\n'),
    `Linux, bash and docker-registry are wanted, a C compiler for the floor, and root for docker; what is missing is left out. The workload comes from a seed, so bytes, requests and digests are the same everywhere; times depend on the machine, their ratios much less so. [bench/README.md](../bench/README.md) tells how it works.`
  ];
  return `${parts.join('\n\n')}\n`;
}

/** What a question costs on this machine: it decides where the line is not what one waits for. */
function pricesOf(outcomes: readonly Outcome[]): readonly string[] {
  const samples = outcomes.find(
    ({series: {profile, phase}}) => profile === 'link' && phase === 'unchanged'
  )?.samples;
  const asked = (tool: string) => samples?.find(one => one.tool === tool)?.requests;
  const [ours, crane] = [asked(us), asked('crane -P16')];
  const registries = samples?.find(({tool}) => tool === us)?.registries;
  if (ours === undefined || crane === undefined || registries === undefined) return [];
  const [all, few] = [ours, crane].map(({source, target}) => Math.round(source + target));
  const price = (registries * 1000) / (ours.source + ours.target);
  return [
    `Where all is there already, crane asks for tags, ${few} questions, and believes that what is below them is whole. This mirror asks for every blob of every repository, ${all} questions; each costs the registries ${price.toFixed(1)} ms of processor time on this machine. The fewer and the slower its cores, the more the questions decide, and the less the line.`
  ];
}

/** More of other programs' processor time than this, in seconds a second, is worth a word. */
const noise = 0.1;

async function shapeLine(scale: number): Promise<string> {
  const {months} = await openWorkload(scale);
  const first = weigh(months.first);
  const mb = ({uniqueBytes}: Weights) => (uniqueBytes / 1e6).toFixed(1);
  const next = weigh(months.next, months.first);
  const rebuilt = weigh(months.rebuilt, months.first);
  return `- **${scale} MB**: ${months.first.images.length} images, ${first.uniqueBlobs} unique blobs of ${mb(first)} MB; ${first.pairs} blobs and ${(first.summedBytes / 1e6).toFixed(0)} MB when each image is counted for itself. The next month brings ${mb(next)} MB in ${next.uniqueBlobs} blobs; upon a rebuilt base ${mb(rebuilt)} MB, which every image shares.`;
}

function machine(): string {
  const all = cpus();
  const gigabytes = Math.round(totalmem() / 1024 ** 3);
  return `${all.length} cores (${all[0]?.model.trim() ?? 'unknown'}), ${gigabytes} GiB of memory, Linux ${release().split('-')[0] ?? ''}, Node ${process.versions.node}`;
}

async function registryVersion(): Promise<string> {
  const program = programOnPath('docker-registry') ?? 'docker-registry';
  const {stdout} = await run(program, ['--version']);
  return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? 'unknown';
}

/** Whether this project failed anywhere: then the bench fails too. */
export function oursFailed(outcomes: readonly Outcome[]): boolean {
  return outcomes.some(({runs}) =>
    runs.some(({tool, failure}) => tool === us && failure !== undefined)
  );
}
