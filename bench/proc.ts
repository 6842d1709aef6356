import {readdirSync, readFileSync} from 'node:fs';
import {readFile} from 'node:fs/promises';

/** Clock ticks a second in /proc: 100 on every Linux there is. */
const ticks = 100;

/** Processor seconds of a process so far, user and system, with its children that have ended. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name of the program may hold blanks; the fields behind it do not.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
  return (user + system + childUser + childSystem) / ticks;
}

/** Bytes that a process has read so far, from anywhere. */
export async function readBytes(pid: number): Promise<number> {
  const io = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => '');
  return Number(/^rchar: (\d+)/m.exec(io)?.[1] ?? 0);
}

/** A process and everything below it. */
export function treeOf(pid: number): readonly number[] {
  const tree = [pid];
  for (const one of tree) {
    for (const task of tasks(one)) {
      const children = readOr(`/proc/${one}/task/${task}/children`);
      tree.push(...children.split(' ').filter(Boolean).map(Number));
    }
  }
  return tree;
}

/** Memory of a process in bytes: just now, and at its highest. */
export function memoryOf(pid: number): {readonly now: number; readonly peak: number} {
  const status = readOr(`/proc/${pid}/status`);
  const field = (name: string) =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
  return {now: field('VmRSS'), peak: field('VmHWM')};
}

function tasks(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Processor seconds that this machine has spent so far, whoever spent them. */
export async function busySeconds(): Promise<number> {
  const line = (await readFile('/proc/stat', 'utf8')).split('\n', 1)[0] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line
    .split(/ +/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) / ticks;
}
