import {type ChildProcess, fork} from 'node:child_process';
import {once} from 'node:events';

import type {Ends, Order, Reply, Traffic} from './link.ts';
import {cpuSeconds} from './proc.ts';

/** The word that makes this program the process of the links. */
export const linkWord = '--links';

/** The process that stands for the lines to the registries. */
export class Links implements Disposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts it; every link is open when this returns. */
  static async open(links: readonly Ends[]): Promise<Links> {
    const child = fork(process.argv[1] ?? '', [linkWord], {
      // Garbage is collected seldom and in one go elsewhere: it must not hold up the clock.
      execArgv: ['--max-semi-space-size=64']
    });
    const opened = new Links(child);
    await opened.#ask({say: 'open', links});
    return opened;
  }

  /** What passed each link so far, in their order. */
  async traffic(): Promise<readonly Traffic[]> {
    const reply = await this.#ask({say: 'traffic'});
    return reply.say === 'traffic' ? reply.traffic : [];
  }

  /** Processor seconds so far. */
  async cpu(): Promise<number> {
    return await cpuSeconds(this.#child.pid ?? 0);
  }

  async #ask(order: Order): Promise<Reply> {
    const answer = once(this.#child, 'message') as Promise<[Reply]>;
    this.#child.send(order);
    return (await answer)[0];
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
