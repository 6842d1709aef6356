import {crc32, deflateSync, inflateSync} from 'node:zlib';

/** An image of so many pixels, three bytes each: red, green, blue. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly bytes: Buffer;
}

const signature = Buffer.from('89504e470d0a1a0a', 'hex');

/** Width and height of a PNG, in pixels. @throws Error when it is none */
export function sizeOf(png: Buffer): {readonly width: number; readonly height: number} {
  if (!png.subarray(0, 8).equals(signature) || png.toString('latin1', 12, 16) !== 'IHDR') {
    throw new Error('this is not a PNG');
  }
  return {width: png.readUInt32BE(16), height: png.readUInt32BE(20)};
}

/** The rows of a PNG as they stand in it, each behind its filter's number. @throws Error when broken */
export function scanLines(png: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length;) {
    const end = at + 8 + png.readUInt32BE(at);
    if (crc32(png.subarray(at + 4, end)) !== png.readUInt32BE(end)) {
      throw new Error('this PNG is damaged');
    }
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, end));
    at = end + 4;
  }
  return inflateSync(Buffer.concat(parts));
}

/**
 * The same picture with at most 256 colours, which is a third of the bytes and looks the same where
 * most of it is text: the colours that are seen most stay as they are, others become the nearest.
 * @throws Error when it is not a PNG with eight bits for each of red, green and blue
 */
export function fewerColours(png: Buffer): Buffer {
  const {width, height, bytes} = decode(png);
  const counts = new Map<number, number>();
  for (let at = 0; at < bytes.length; at += 3) {
    const colour = bytes.readUIntBE(at, 3);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const palette = [...counts]
    .sort(([a, more], [b, less]) => less - more || a - b)
    .slice(0, 256)
    .map(([colour]) => colour);
  const index = new Map([...counts.keys()].map(colour => [colour, nearest(colour, palette)]));
  const rows = Buffer.alloc((width + 1) * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const colour = bytes.readUIntBE((row * width + column) * 3, 3);
      rows[row * (width + 1) + 1 + column] = index.get(colour) ?? 0;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8);
  const colours = Buffer.alloc(palette.length * 3);
  palette.forEach((colour, i) => colours.writeUIntBE(colour, i * 3, 3));
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(rows, {level: 9, memLevel: 9})),
    chunk('IEND', Buffer.alloc(0))
  ]);
}

/** The place of the colour in the palette that is nearest to this one. */
function nearest(colour: number, palette: readonly number[]): number {
  const part = (value: number, shift: number) => (value >> shift) & 255;
  const distance = (other: number) =>
    [16, 8, 0].reduce((sum, shift) => sum + (part(colour, shift) - part(other, shift)) ** 2, 0);
  let [best, least] = [0, Infinity];
  for (const [i, other] of palette.entries()) {
    const far = distance(other);
    if (far < least) [best, least] = [i, far];
  }
  return best;
}

/** The pixels of a PNG as a browser writes it, its transparency left out. */
export function decode(png: Buffer): Pixels {
  const {width, height} = sizeOf(png);
  const [depth, kind, , , interlace] = png.subarray(24, 29);
  const channels = kind === 2 ? 3 : kind === 6 ? 4 : 0;
  if (depth !== 8 || channels === 0 || interlace !== 0)
    throw new Error('this PNG is of another kind');
  const raw = scanLines(png);
  const stride = width * channels;
  const bytes = Buffer.alloc(width * height * 3);
  let above: Buffer = Buffer.alloc(stride);
  for (let row = 0; row < height; row++) {
    const start = row * (stride + 1);
    const line = raw.subarray(start + 1, start + 1 + stride);
    unfilter(raw[start] ?? 0, line, above, channels);
    for (let column = 0; column < width; column++) {
      line.copy(bytes, (row * width + column) * 3, column * channels, column * channels + 3);
    }
    above = line;
  }
  return {width, height, bytes};
}

/**
 * Undoes the filter of one row, in place.
 * @see https://www.w3.org/TR/png-3/#9Filter-types
 */
function unfilter(filter: number, line: Buffer, above: Buffer, channels: number): void {
  for (let i = 0; i < line.length; i++) {
    const left = line[i - channels] ?? 0;
    const up = above[i] ?? 0;
    const corner = i < channels ? 0 : (above[i - channels] ?? 0);
    line[i] = ((line[i] ?? 0) + guess(filter, left, up, corner)) & 255;
  }
}

function guess(filter: number, left: number, up: number, corner: number): number {
  switch (filter) {
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4:
      return paeth(left, up, corner);
    default:
      return 0;
  }
}

function paeth(left: number, up: number, corner: number): number {
  const sum = left + up - corner;
  const [a, b, c] = [Math.abs(sum - left), Math.abs(sum - up), Math.abs(sum - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}
