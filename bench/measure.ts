import {type ChildProcess, spawn} from 'node:child_process';

import {memoryOf, treeOf} from './proc.ts';

/** A command and where it runs. */
export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** For its standard input. */
  readonly input?: string;
}

/** What a command cost. */
export interface Cost {
  /** From its start to its end, in seconds. */
  readonly wall: number;
  /** Processor seconds of it and all it started, user and system. */
  readonly cpu: number;
  /** The most memory that one process of it had, in bytes. */
  readonly peak: number;
  /** The most memory that all of its processes had at once, in bytes. */
  readonly peakTree: number;
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly output: string;
}

/** How often memory is looked at, in milliseconds. The kernel keeps the peak of each process itself. */
const sampleEvery = 40;
/** What takes longer is killed, in milliseconds. */
const longest = 240_000;

/** The shell tells what its children used, however many there were. */
const script = '"$@"; code=$?; times >&3; exit $code';

/** A command under way. */
export interface UnderWay {
  /** Ends it and all it started, at once. */
  kill(): void;
  readonly cost: Promise<Cost>;
}

/** Starts a command and measures it to its end. */
export function start({argv, env, cwd, input}: Command): UnderWay {
  const began = performance.now();
  const child = spawn('bash', ['-c', script, 'bash', ...argv], {
    env,
    cwd,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe']
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  const output = collect(child, 1, 2);
  const times = collect(child, 3);
  const kill = () => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // It is gone already.
    }
  };
  process.once('exit', kill);
  const timer = setTimeout(kill, longest);
  const shell = child.pid ?? 0;
  const [peaks, trees] = [[0], [0]];
  const sampler = setInterval(() => {
    const memories = treeOf(shell)
      .filter(pid => pid !== shell)
      .map(memoryOf);
    peaks.push(...memories.map(({peak}) => peak));
    trees.push(memories.reduce((sum, {now}) => sum + now, 0));
  }, sampleEvery);
  let wall = 0;
  child.once('exit', () => {
    wall = (performance.now() - began) / 1000;
  });
  const cost = new Promise<Cost>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', exitCode => {
      clearTimeout(timer);
      clearInterval(sampler);
      process.off('exit', kill);
      resolve({
        wall,
        cpu: parseTimes(times()),
        peak: Math.max(...peaks),
        peakTree: Math.max(...trees),
        exitCode,
        output: output()
      });
    });
  });
  return {kill, cost};
}

function collect(child: ChildProcess, ...streams: readonly number[]): () => string {
  let text = '';
  for (const number of streams) {
    child.stdio[number]?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      // The end is what tells of a failure.
      if (text.length > 2_000_000) text = text.slice(-1_000_000);
    });
  }
  return () => text;
}

/** The second line is that of the children: `1m2.345s 0m0.678s`. */
function parseTimes(text: string): number {
  const line = text.trim().split('\n').at(-1) ?? '';
  return [...line.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds),
    0
  );
}
