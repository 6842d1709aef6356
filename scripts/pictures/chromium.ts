import {execFile} from 'node:child_process';
import {accessSync, constants} from 'node:fs';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {delimiter, join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {promisify} from 'node:util';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The browser's path, if there is one on PATH. */
export function findChromium(path: string): string | undefined {
  const folders = path.split(delimiter).filter(folder => folder !== '');
  return names.flatMap(name => folders.map(folder => join(folder, name))).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** How a picture is taken. */
export interface Shot {
  /** Of the page, in CSS pixels. */
  readonly width: number;
  /** Pixels of the picture for each of the page. */
  readonly scale: number;
  /** CSS selector: the picture ends a little below the first such element, else with the page. */
  readonly until?: string;
}

/** What keeps the browser to the page, and to this machine. */
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--hide-scrollbars'
];

/**
 * Takes a picture of a page, as high as the page is.
 * @returns a PNG
 * @throws Error when the browser cannot, or takes longer than a minute
 */
export async function picture(chromium: string, html: string, shot: Shot): Promise<Buffer> {
  const {width, scale, until} = shot;
  const folder = await mkdtemp(join(tmpdir(), 'pictures-'));
  try {
    const [page, png] = [join(folder, 'page.html'), join(folder, 'page.png')];
    await writeFile(page, `${html}<script>${measure(until)}</script>`);
    const run = async (height: number, ...more: readonly string[]) => {
      const options = [
        `--user-data-dir=${join(folder, 'profile')}`,
        `--force-device-scale-factor=${scale}`,
        `--window-size=${width},${height}`
      ];
      return await promisify(execFile)(
        chromium,
        [...flags, ...options, ...more, pathToFileURL(page).href],
        {timeout: 60_000, maxBuffer: 16 * 1024 * 1024}
      );
    };
    // A browser without a window does not know how high the page is before it has laid it out.
    const {stdout} = await run(800, '--dump-dom');
    const height = Number(/data-height="(\d+)"/.exec(stdout)?.[1]);
    if (!Number.isInteger(height)) throw new Error('the browser did not say how high the page is');
    await run(height, `--screenshot=${png}`);
    return await readFile(png);
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
}

function measure(until: string | undefined): string {
  const end =
    until === undefined
      ? 'document.body.getBoundingClientRect().bottom'
      : `document.querySelector(${JSON.stringify(until)}).getBoundingClientRect().bottom + 12`;
  return `document.documentElement.dataset.height = Math.ceil(${end})`;
}
