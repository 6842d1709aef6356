import {expect, test} from '@jest/globals';

import {refuseHalf} from '../src/mirror/error.ts';
import {RegistryError} from '../src/registry/error.ts';
import {EndedError, endedBy, endOf} from '../src/run/time-limit.ts';

const cancelled = new EndedError('the run was cancelled', 'Run again.');

test('a run ends with its time, and says how to get more of it', async () => {
  const time = endOf(new AbortController().signal, 50);
  await new Promise(resolve => {
    time.signal.addEventListener('abort', resolve, {once: true});
  });
  expect(time.signal.reason).toBeInstanceOf(EndedError);
  const {message, advice} = time.signal.reason as EndedError;
  expect(message).toContain('did not end within its 0 minutes');
  expect(advice).toContain('The input timeout allows more.');
  time.end();
});

test('a cancelled run tells which tags the target keeps', () => {
  expect(endedBy(cancelled, refuseHalf('v1', [], ['arc-dns']))).toMatchObject({
    message: 'the run was cancelled',
    advice:
      'The target took the tags of arc-dns and could not be made to go back; Arc looks at that of arc-controller only. Run again.'
  });
});

test('a run that was waiting for a registry says for which, and why', () => {
  const trouble = new RegistryError('server', 'GET /v2/a/tags/list: r.example answers 500', {
    host: 'r.example'
  });
  expect(endedBy(cancelled, new Error('x'), [undefined, {trouble}, {trouble: undefined}])).toEqual(
    expect.objectContaining({
      message: 'the run was cancelled; it was trying again, since r.example answers 500',
      advice: 'Run again.'
    })
  );
});

test.each([
  ['no tag moved', refuseHalf('v1', [], [])],
  ['images were still missing', refuseHalf('v1', [{name: 'arc-dns', status: 'failed'}])],
  ['it was somewhere else', new Error('socket hang up')]
])('and nothing more where %s', (_, error) => {
  expect(endedBy(cancelled, error)).toBe(cancelled);
});
