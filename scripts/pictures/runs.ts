import {execFile} from 'node:child_process';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {promisify} from 'node:util';

import {demo} from '../../src/cli/demo.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {seedRelease} from '../../src/demo/sample.ts';
import {terminalReporter} from '../../src/report/terminal.ts';
import {noUndo} from '../../src/run/saved.ts';
import {NameProxy} from './proxy.ts';
import {type Rows, TerminalScreen} from './screen.ts';

/** Names as in the documents; nobody can be reached by them. */
const source = 'source.example.com';
const target = 'registry.example.com';

const months = ['v1.44.0_2026-03-10', 'v1.45.0_2026-04-14', 'v1.46.0_2026-05-12'] as const;

/**
 * The job summary of a run of the built action: it catches up by three months of a sample release,
 * from one registry of this machine to another one.
 * @param scale of the sample; 1 is about 5 MB for the first month
 * @throws Error when the run fails
 */
export async function summaryOfRun(scale: number): Promise<string> {
  await using from = await EmbeddedRegistry.start();
  await using to = await EmbeddedRegistry.start();
  await using proxy = await NameProxy.start(
    new Map([
      [source, from.name],
      [target, to.name]
    ])
  );
  months.forEach((tag, month) => {
    seedRelease(from.store, 'arcdata', {tag, month, scale});
  });
  const home = await mkdtemp(join(tmpdir(), 'pictures-'));
  try {
    const files = Object.fromEntries(
      ['OUTPUT', 'STATE', 'STEP_SUMMARY'].map(name => [`GITHUB_${name}`, join(home, name)])
    );
    for (const file of Object.values(files)) await writeFile(file, '');
    const inputs = {
      'source-registry': source,
      'source-tag': `${months[0]}\n${months[1]}\n${months[2]}`,
      'target-registry': target,
      'target-repository': 'arcdata',
      'insecure-registries': `${source}\n${target}`
    };
    await promisify(execFile)(process.execPath, [resolve('dist/index.js')], {
      cwd: home,
      env: {
        ...files,
        ...Object.fromEntries(
          Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])
        ),
        HOME: home,
        RUNNER_TEMP: home,
        RUNNER_TOOL_CACHE: home,
        HTTP_PROXY: proxy.url
      },
      timeout: 120_000
    });
    return await readFile(files.GITHUB_STEP_SUMMARY ?? '', 'utf8');
  } finally {
    await rm(home, {recursive: true, force: true});
  }
}

/** What the demo shows on a terminal of so many columns, down to the end of its first run. */
export async function screenOfDemo(columns: number): Promise<Rows> {
  const screen = new TerminalScreen(columns);
  const temporary = await mkdtemp(join(tmpdir(), 'pictures-'));
  try {
    const reporter = terminalReporter({
      ...{stdout: screen, stderr: screen, json: false, tty: true, verbose: false, keep: false},
      env: {}
    });
    const stage = {
      ...{reporter, env: {}, runnerTemp: temporary, undo: noUndo},
      signal: new AbortController().signal
    };
    const code = await demo(stage, 'node dist/cli/index.js');
    if (code !== 0) throw new Error('the demo has failed');
  } finally {
    await rm(temporary, {recursive: true, force: true});
  }
  const second = screen.rows.findIndex(row => row.some(({text}) => text.includes('2 of 3')));
  return screen.rows.slice(0, second - 1);
}
