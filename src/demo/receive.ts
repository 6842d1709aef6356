import type {IncomingMessage} from 'node:http';

import {DemoError} from './error.ts';
import type {AnswerEffect, Effect} from './rules.ts';

/** What follows when the body of a request is not read to its end. */
export type Aftermath =
  | {readonly kind: 'cut'; readonly how: 'reset' | 'end' | 'stall'}
  | {readonly kind: 'answer'; readonly answer: AnswerEffect}
  /** The client has gone. */
  | {readonly kind: 'gone'};

/** The body of a request ended early. */
export class Interruption extends DemoError {
  readonly aftermath: Aftermath;

  constructor(aftermath: Aftermath) {
    super(400, 'UNKNOWN', 'the body of the request ended early');
    this.aftermath = aftermath;
  }
}

/** After how many bytes reading stops, and what then; undefined means nothing, it just stops. */
export interface Limit {
  readonly at: number;
  readonly then: Aftermath | undefined;
}

/**
 * The limits that effects put on a request's body.
 * @throws Interruption when the headers alone say that it will be too large
 */
export function limitsOf(request: IncomingMessage, effects: readonly Effect[]): readonly Limit[] {
  const declared = request.headers['content-length'];
  return effects.flatMap((effect): Limit[] => {
    switch (effect.effect) {
      case 'cut-upload':
        return [{at: effect.after, then: {kind: 'cut', how: effect.how ?? 'reset'}}];
      case 'stall-upload':
        return [{at: effect.after, then: {kind: 'cut', how: 'stall'}}];
      case 'max-body': {
        const {bytes, status = 413, body = tooLarge} = effect;
        const then = early(status, body);
        if (declared !== undefined && Number(declared) > bytes) throw new Interruption(then);
        return [{at: bytes + 1, then}];
      }
      case 'refuse-chunked':
        if (declared === undefined && request.headers['transfer-encoding'] !== undefined) {
          throw new Interruption(early(effect.status ?? 411, effect.body ?? lengthRequired));
        }
        return [];
      default:
        return [];
    }
  });
}

const tooLarge = {
  html: '<html>\n<head><title>413 Request Entity Too Large</title></head>\n<body></body>\n</html>\n'
};
const lengthRequired = {html: '<html><head><title>411 Length Required</title></head></html>\n'};

function early(status: number, body: AnswerEffect['body'] & {}): Aftermath {
  return {kind: 'answer', answer: {effect: 'answer', status, body, after: 0, then: 'close'}};
}

/**
 * Reads the body of a request into `sink`, at most up to the nearest limit.
 * @throws Interruption when a limit was reached or the client went away
 */
export async function receive(
  request: IncomingMessage,
  limits: readonly Limit[],
  sink: (chunk: Buffer) => void
): Promise<void> {
  const limit = limits.reduce<Limit | undefined>(
    (nearest, next) => (nearest === undefined || next.at < nearest.at ? next : nearest),
    undefined
  );
  const interruption = () => new Interruption(limit?.then ?? {kind: 'gone'});
  if (limit !== undefined && limit.at <= 0) throw interruption();
  await new Promise<void>((resolve, reject) => {
    let total = 0;
    const onData = (chunk: Buffer) => {
      const room = (limit?.at ?? Infinity) - total;
      total += chunk.length;
      if (chunk.length < room) {
        sink(chunk);
        return;
      }
      sink(chunk.subarray(0, room));
      // A paused request is left alone: nothing more is read, and the sender feels it.
      request.pause();
      request.off('data', onData);
      reject(interruption());
    };
    request.on('data', onData);
    request.once('end', resolve);
    request.once('error', () => undefined);
    request.once('close', () => {
      if (!request.complete) reject(new Interruption({kind: 'gone'}));
      else resolve();
    });
  });
}
