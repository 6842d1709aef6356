import {type ChildProcess, spawn} from 'node:child_process';
import {win32} from 'node:path';

/** How a program is to be started. */
export interface Invocation {
  readonly file: string;
  readonly argv: readonly string[];
  /** Whether the arguments are quoted already. */
  readonly verbatim: boolean;
}

/** A program of Windows itself, by its place: what PATH would find may be another. */
export function systemProgram(name: string): string {
  return win32.join(process.env.SystemRoot ?? 'C:\\Windows', 'System32', name);
}

/**
 * How a program is started on Windows: as it is, but batch files, as some credential helpers are,
 * run in cmd.exe only. Nothing that cmd.exe could read as anything but a plain word is let through.
 * @throws Error when a batch file were given more than plain words
 */
export function throughShell(file: string, args: readonly string[]): Invocation {
  if (!/\.(?:cmd|bat)$/i.test(file)) return {file, argv: args, verbatim: false};
  if (/["%!^\r\n]/.test(file) || !args.every(arg => /^[\w.:/\\-]+$/.test(arg))) {
    throw new Error('a batch file can be given plain words only');
  }
  return {
    file: systemProgram('cmd.exe'),
    argv: ['/d', '/s', '/c', `""${file}" ${args.join(' ')}"`],
    verbatim: true
  };
}

/** Ends a child with its children: Windows has no signals and no process groups. */
export function endTree(child: ChildProcess): void {
  const args = ['/T', '/F', '/PID', String(child.pid)];
  spawn(systemProgram('taskkill.exe'), args, {stdio: 'ignore', windowsHide: true})
    .once('error', () => child.kill())
    .unref();
}
