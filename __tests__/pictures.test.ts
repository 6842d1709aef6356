import {mkdtemp, readdir, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {crc32, deflateSync} from 'node:zlib';

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';

import {findChromium} from '../scripts/pictures/chromium.ts';
import {pictureFolder, pictures} from '../scripts/pictures/command.ts';
import {decode, fewerColours, scanLines, sizeOf} from '../scripts/pictures/png.ts';
import {TerminalScreen} from '../scripts/pictures/screen.ts';
import {terminalSvg} from '../scripts/pictures/terminal-svg.ts';

const readme = await readFile('README.md', 'utf8');
const kept = await readdir(pictureFolder);

/** What stands in a document for a picture: where it is, and what is read aloud for it. */
const shown = [...readme.matchAll(/<img\s[^>]*>/g)].map(([tag]) => ({
  path: /\ssrc="([^"]*)"/.exec(tag)?.[1] ?? '',
  alt: /\salt="([^"]*)"/.exec(tag)?.[1] ?? '',
  width: Number(/\swidth="(\d+)"/.exec(tag)?.[1])
}));
const dark = [...readme.matchAll(/<source\s[^>]*dark[^>]*srcset="([^"]*)"/g)].map(
  ([, path = '']) => path
);

/** Looks at a PNG down to its last row. */
function expectWhole(png: Buffer): void {
  const {width, height} = sizeOf(png);
  const [depth = 0, kind] = png.subarray(24, 26);
  expect({depth, kind}).toEqual({depth: 8, kind: 3});
  expect(scanLines(png)).toHaveLength((width + 1) * height);
}

describe('the pictures of the README', () => {
  test('are those that are kept, each with words for whoever cannot see it', () => {
    expect([...shown.map(({path}) => path), ...dark].sort()).toEqual(
      kept.map(name => `${pictureFolder}/${name}`).sort()
    );
    expect(shown).toHaveLength(2);
    for (const {path, alt} of shown)
      expect({path, words: alt.split(' ').length > 15}).toEqual({path, words: true});
  });

  test.each(kept.filter(name => name.endsWith('.png')))(
    '%s is whole, sharp and small',
    async name => {
      const png = await readFile(join(pictureFolder, name));
      const {width, height} = sizeOf(png);
      const usual = Math.max(
        ...shown.filter(({path}) => path.endsWith('.png')).map(one => one.width)
      );
      // Two pixels for each that is shown, and no longer than a window.
      expect(width).toBeGreaterThanOrEqual(2 * usual);
      expect(height / width).toBeGreaterThan(0.5);
      expect(height / width).toBeLessThan(1.2);
      expect(png.length).toBeLessThan(200_000);
      expectWhole(png);
    }
  );

  test('are the same by day and by night', async () => {
    const sizes = await Promise.all(
      ['light', 'dark'].map(async theme =>
        sizeOf(await readFile(join(pictureFolder, `summary-${theme}.png`)))
      )
    );
    expect(sizes[0]).toEqual(sizes[1]);
  });

  test('terminal.svg has the run in it, and nothing that a page would not show', async () => {
    const svg = await readFile(join(pictureFolder, 'terminal.svg'), 'utf8');
    expectTerminal(svg);
    expect(svg.length).toBeLessThan(50_000);
  });
});

function expectTerminal(svg: string): void {
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" [^>]*aria-label="/);
  expect(svg).toMatch(/<\/svg>\n$/);
  expect(svg).toContain('>✓ Mirrored 20 images of v1.45.0_2026-04-14 to 127.0.0.1:');
  expect(svg.match(/>✓ copied</g)).toHaveLength(20);
  expect(svg).not.toMatch(/<(?!\/?(?:svg|style|rect|path|circle|text)[ >])|href|url\(|on\w+=/);
}

describe('the script that takes them', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pictures-'));
  });
  afterAll(async () => {
    await rm(folder, {recursive: true});
  });

  const said: string[] = [];
  const out = {write: (text: string) => said.push(text)};
  const {PATH = ''} = process.env;
  const found = findChromium(PATH);
  test('takes all of them from the real code', async () => {
    if (found === undefined) {
      process.stderr.write('pictures.test.ts: PATH has no Chromium, so no picture is taken\n');
      return;
    }
    said.length = 0;
    await expect(pictures(PATH, out, process.stderr, folder, 1)).resolves.toBe(0);
    expect((await readdir(folder)).sort()).toEqual([...kept].sort());
    for (const theme of ['light', 'dark']) {
      const png = await readFile(join(folder, `summary-${theme}.png`));
      expectWhole(png);
      expect(sizeOf(png).width).toBe(1600);
    }
    expectTerminal(await readFile(join(folder, 'terminal.svg'), 'utf8'));
    expect(said.join('').trimEnd().split('\n')).toHaveLength(kept.length);
  }, 180_000);

  test('says what it needs where there is no browser', async () => {
    said.length = 0;
    await expect(pictures(folder, process.stdout, out, folder)).resolves.toBe(1);
    expect(said.join('')).toContain('taken with Chromium');
  });
});

describe('a terminal', () => {
  const seen = (text: string, columns = 10) => {
    const screen = new TerminalScreen(columns);
    screen.write(text);
    return screen.rows.map(row => row.map(one => one.text).join(''));
  };

  test.each([
    ['one\ntwo', ['one', 'two']],
    ['a bar\rb\u001b[K\n', ['b', '']],
    ['old line\rnew', ['new line']],
    ['0123456789abc', ['0123456789', 'abc']],
    ['0123456789abc\u001b[1A\r\u001b[Jx\u001b[K', ['x']],
    ['\n\n', ['', '', '']]
  ])('shows %j as %j', (text, rows) => {
    expect(seen(text)).toEqual(rows);
  });

  test('knows the colours of our own, and refuses what it does not know', () => {
    const screen = new TerminalScreen(40);
    screen.write('a\u001b[1m\u001b[31mb\u001b[39mc\u001b[22md\u001b[32me\u001b[36mf\u001b[39m');
    expect(screen.rows).toEqual([
      [
        {text: 'a', looks: []},
        {text: 'b', looks: ['bold', 'red']},
        {text: 'c', looks: ['bold']},
        {text: 'd', looks: []},
        {text: 'e', looks: ['green']},
        {text: 'f', looks: ['cyan']}
      ]
    ]);
    for (const text of ['\u0007', '\t', '\u001b[5X', '\u001b[7m', '\u001b[2J', '\u001b]0;x'])
      expect(() => seen(text)).toThrow('does not know');
  });

  test('is drawn with every character in its column', () => {
    const screen = new TerminalScreen(20);
    screen.write('  a < b  \u001b[32m██▌\u001b[39m  c');
    const svg = terminalSvg(screen.rows, 20, 'a & b');
    expect(svg).toContain('>a &amp; b</text>');
    const parts = [
      ...svg.matchAll(/<(text|rect) x="([\d.]+)"[^>]*?(?:width|textLength)="([\d.]+)"/g)
    ];
    // The first one is the frame around them.
    const drawn = parts.slice(1);
    expect(drawn.map(([, kind, x, width]) => [kind, Number(x), Number(width)])).toEqual([
      ['text', 34.9, 42.1],
      ['rect', 93.9, 21.1],
      ['text', 136, 8.4]
    ]);
    expect(svg).toContain('>a &lt; b</text>');
  });
});

describe('a picture with fewer colours', () => {
  const [width, height] = [3, 5];
  const colour = (row: number, column: number) => [row * 40, column * 80, (row + column) % 7];

  /** A truecolour PNG, each row behind another filter. */
  function sample(channels: 3 | 4): Buffer {
    const stride = width * channels;
    const rows = Array.from({length: height}, (_, row) =>
      Buffer.from(
        Array.from({length: width}, (__, column) =>
          [...colour(row, column), 255].slice(0, channels)
        ).flat()
      )
    );
    const filtered = rows.map((line, row) => {
      const above = rows[row - 1] ?? Buffer.alloc(stride);
      const bytes = [...line].map((value, i) => {
        const left = line[i - channels] ?? 0;
        const up = above[i] ?? 0;
        const corner = i < channels ? 0 : (above[i - channels] ?? 0);
        const [a, b, c] = [up - corner, left - corner, left + up - 2 * corner].map(Math.abs);
        const paeth =
          Number(a) <= Number(b) && Number(a) <= Number(c)
            ? left
            : Number(b) <= Number(c)
              ? up
              : corner;
        return (value - ([0, left, up, (left + up) >> 1, paeth][row] ?? 0)) & 255;
      });
      return Buffer.from([row, ...bytes]);
    });
    const head = Buffer.alloc(13);
    head.writeUInt32BE(width, 0);
    head.writeUInt32BE(height, 4);
    head.set([8, channels === 3 ? 2 : 6], 8);
    return Buffer.concat([
      Buffer.from('89504e470d0a1a0a', 'hex'),
      ...[
        ['IHDR', head] as const,
        ['IDAT', deflateSync(Buffer.concat(filtered))] as const,
        ['IEND', Buffer.alloc(0)] as const
      ].map(([name, data]) => {
        const body = Buffer.concat([Buffer.from(name), data]);
        const frame = Buffer.alloc(8);
        frame.writeUInt32BE(data.length, 0);
        frame.writeUInt32BE(crc32(body), 4);
        return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
      })
    ]);
  }

  const plain = Buffer.from(
    Array.from({length: height * width}, (_, i) => colour(Math.floor(i / width), i % width)).flat()
  );

  test.each([3, 4] as const)('is read with %d channels and every filter', channels => {
    expect(decode(sample(channels))).toEqual({width, height, bytes: plain});
  });

  test('is the same picture where it has few already', () => {
    const png = fewerColours(sample(4));
    expectWhole(png);
    expect(sizeOf(png)).toEqual({width, height});
    const palette = png.subarray(png.indexOf('PLTE') + 4);
    const lines = scanLines(png);
    const bytes = Array.from({length: width * height}, (_, i) => {
      const at = (lines[Math.floor(i / width) * (width + 1) + 1 + (i % width)] ?? 0) * 3;
      return [...palette.subarray(at, at + 3)];
    }).flat();
    expect(Buffer.from(bytes)).toEqual(plain);
  });

  test('is nothing that can be made of something else', () => {
    expect(() => sizeOf(Buffer.from('GIF89a, and more of it than that'))).toThrow('not a PNG');
    expect(() => decode(fewerColours(sample(3)))).toThrow('another kind');
    const broken = sample(3);
    broken[45] = (broken[45] ?? 0) ^ 1;
    expect(() => scanLines(broken)).toThrow('damaged');
  });
});
