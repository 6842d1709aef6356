import {afterEach, expect, test} from '@jest/globals';

import {onCancel} from '../src/run/cancel.ts';

const streams = [process.stdin, process.stdout, process.stderr];
const kept = streams.map(({isTTY}) => isTTY);

function atTerminal(is: boolean): void {
  for (const stream of streams) stream.isTTY = is;
}

afterEach(() => {
  streams.forEach((stream, i) => {
    stream.isTTY = kept[i] === true;
  });
});

test.each([
  ['SIGHUP', true, true],
  // As with nohup, which Node does not hear of.
  ['SIGHUP', false, false],
  ['SIGINT', false, true],
  ['SIGTERM', false, true]
] as const)('%s, at a terminal: %s, cancels: %s', (name, terminal, cancels) => {
  atTerminal(terminal);
  const cancel = onCancel();
  try {
    process.emit(name, name);
    expect(cancel.signal.aborted).toBe(cancels);
  } finally {
    cancel.end();
  }
});

test.each(['SIGINT', 'SIGHUP', 'SIGQUIT'] as const)('%s is left alone when it is over', name => {
  const before = process.listenerCount(name);
  onCancel().end();
  expect(process.listenerCount(name)).toBe(before);
});
