import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {picture} from './chromium.ts';
import {githubHtml, githubPage} from './github.ts';
import {fewerColours} from './png.ts';
import {screenOfDemo, summaryOfRun} from './runs.ts';
import {terminalSvg} from './terminal-svg.ts';

/** What is needed to take the pictures. */
export interface Options {
  /** The browser's path. */
  readonly chromium: string;
  /** The folder that they go to. */
  readonly folder: string;
  /** Of the sample release; see `SampleOptions`. */
  readonly scale: number;
}

/** Takes every picture of the documents. @returns their names in the folder, and bytes */
export async function takePictures(options: Options): Promise<ReadonlyMap<string, number>> {
  const {chromium, folder, scale} = options;
  const pictures = new Map<string, Buffer>();
  const html = githubHtml(await summaryOfRun(scale));
  for (const theme of ['light', 'dark'] as const) {
    // Down to the first block to paste.
    const shot = {width: 1000, scale: 1.6, until: 'pre'};
    const png = await picture(chromium, githubPage(html, theme), shot);
    pictures.set(`summary-${theme}.png`, fewerColours(png));
  }
  const rows = await screenOfDemo(terminal.columns);
  const svg = terminalSvg(
    rows.slice(-terminal.rows),
    terminal.columns,
    'node dist/cli/index.js demo'
  );
  pictures.set('terminal.svg', Buffer.from(svg));
  await mkdir(folder, {recursive: true});
  for (const [name, bytes] of pictures) await writeFile(join(folder, name), bytes);
  return new Map([...pictures].map(([name, {length}]) => [name, length]));
}

/** The window of the terminal. */
const terminal = {columns: 80, rows: 37};
