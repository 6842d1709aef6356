/** A file of an archive; a name with a slash at its end is a directory. */
export interface TarFile {
  readonly name: string;
  readonly bytes: Buffer;
}

const blockLength = 512;

/** A tar archive (ustar) whose every byte follows from `files` and `mtime`, in seconds. */
export function tarOf(files: readonly TarFile[], mtime: number): Buffer {
  const parts = files.flatMap(({name, bytes}) => {
    const padding = Buffer.alloc((blockLength - (bytes.length % blockLength)) % blockLength);
    return [headerOf(name, bytes.length, mtime), bytes, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * blockLength)]);
}

function headerOf(name: string, size: number, mtime: number): Buffer {
  const directory = name.endsWith('/');
  const header = Buffer.alloc(blockLength);
  const octal = (value: number, at: number, length: number) => {
    header.write(value.toString(8).padStart(length - 1, '0'), at, 'ascii');
  };
  header.write(name, 0, 100, 'utf8');
  octal(directory ? 0o755 : 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(mtime, 136, 12);
  header.write(directory ? '5' : '0', 156, 'ascii');
  header.write('ustar\0', 257, 'ascii');
  header.write('00', 263, 'ascii');
  // The sum is taken with blanks in its own place.
  header.write(' '.repeat(8), 148, 'ascii');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return header;
}

/**
 * `bytes` as gzip without compression. Compressors differ between versions; this does not, so the
 * digests of a sample are the same everywhere.
 * @see https://www.rfc-editor.org/rfc/rfc1952
 */
export function gzipOf(bytes: Buffer): Buffer {
  const longest = 0xffff;
  const parts: Buffer[] = [Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])];
  for (let at = 0; at === 0 || at < bytes.length; at += longest) {
    const block = bytes.subarray(at, at + longest);
    const head = Buffer.alloc(5);
    head.writeUInt8(at + longest >= bytes.length ? 1 : 0, 0);
    head.writeUInt16LE(block.length, 1);
    head.writeUInt16LE(~block.length & 0xffff, 3);
    parts.push(head, block);
  }
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(bytes), 0);
  tail.writeUInt32LE(bytes.length % 0x1_0000_0000, 4);
  return Buffer.concat([...parts, tail]);
}

const table = Int32Array.from({length: 256}, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

// zlib.crc32 is younger than the oldest Node this has to run on.
function crc32(bytes: Buffer): number {
  let crc = -1;
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ -1) >>> 0;
}
