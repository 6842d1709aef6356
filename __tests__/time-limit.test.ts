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
  const quiet = {name: 'q.example', trouble: undefined, silence: 0};
  const troubled = {name: 'r.example', trouble, silence: 30_000};
  expect(endedBy(cancelled, new Error('x'), [undefined, troubled, quiet])).toEqual(
    expect.objectContaining({
      message: 'the run was cancelled; it was trying again, since r.example answers 500',
      advice: 'Run again.'
    })
  );
});

test('a run that was waiting for an answer says for whose, and since when', () => {
  const silence = (milliseconds: number) => ({
    name: 'r.example',
    trouble: undefined,
    silence: milliseconds
  });
  expect(endedBy(cancelled, new Error('x'), [silence(59_700), silence(3000)])).toEqual(
    expect.objectContaining({
      message:
        'the run was cancelled; it was waiting for r.example, which had not answered for 60 s'
    })
  );
  expect(endedBy(cancelled, new Error('x'), [silence(3000)])).toBe(cancelled);
});

test.each([
  ['no tag moved', refuseHalf('v1', [], [])],
  ['images were still missing', refuseHalf('v1', [{name: 'arc-dns', status: 'failed'}])],
  ['it was somewhere else', new Error('socket hang up')]
])('and nothing more where %s', (_, error) => {
  expect(endedBy(cancelled, error)).toBe(cancelled);
});
