/** What a process says, and to whom. */
const streams = [
  {stream: process.stdout, name: 'standard output'},
  {stream: process.stderr, name: 'standard error'}
] as const;

/** The reader of a pipe has ended, or the terminal is closed. */
const nobodyReads: readonly (string | undefined)[] = ['EPIPE', 'EIO', 'ECONNRESET'];

/**
 * Heeds what goes wrong with what is said: Node would end the process in the middle of whatever it
 * does. With a full disk, say, the run goes on, and fails at its end.
 * @param gone called when nobody reads it any more, such as `head` that has seen enough; with what it was
 */
export function heedOutput(gone: (name: string) => void): void {
  for (const {stream, name} of streams) {
    let failed = false;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // Whatever is written from then on fails as well.
      if (failed) return;
      failed = true;
      if (nobodyReads.includes(error.code)) {
        gone(name);
        return;
      }
      process.once('exit', code => {
        if (code === 0) process.exitCode = 1;
      });
      if (stream === process.stderr) return;
      process.stderr.write(
        `What is said here cannot be written to ${name} (${error.message}). Make room, or send it elsewhere, and run again.\n`
      );
    });
  }
}
