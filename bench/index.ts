import {bench} from './bench.ts';
import {serveLinks} from './link.ts';
import {linkWord} from './link-process.ts';
import {line} from './session.ts';

if (process.argv[2] === linkWord) {
  serveLinks(line);
} else {
  // What was started ends, and what was written goes, with the process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(130));
  }
  process.stdout.on('error', () => process.exit(1));
  process.exitCode = await bench(process.argv.slice(2));
}
