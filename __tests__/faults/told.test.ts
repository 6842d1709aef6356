import {expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {outputs} from '../../src/report/outputs.ts';
import {Redactor} from '../../src/report/redact.ts';
import {failures, verdict} from '../../src/report/verdict.ts';
import {EndedError} from '../../src/run/time-limit.ts';
import {play, release} from '../support/fault-world.ts';
import {tellOf} from '../support/oracle.ts';
import {always, error, rule, status} from '../support/rows.ts';
import {mirrorRun} from '../support/mirror-run.ts';
import {putImage, putRelease, smallTag} from '../support/small-release.ts';

test('bytes that have arrived are told, also where their image fails', async () => {
  const findings = await play({
    id: 'bytes',
    name: 'no manifest is taken',
    target: [
      rule({kind: 'manifest', method: 'PUT'}, status(403, {body: {json: error('DENIED')}}), {
        times: always
      })
    ],
    end: {refused: ['DENIED']},
    also: ({target}, {record}) => {
      const told = Number(outputs(record, {redactor: new Redactor()}).get('bytes-copied'));
      const came = target.requests
        .filter(({kind, status}) => kind === 'upload' && status < 300)
        .reduce((sum, {bytesIn}) => sum + bytesIn, 0);
      return told === came && came > 0 ? [] : [`${told} told, ${came} came`];
    }
  });
  expect(findings).toEqual([]);
});

test('where all tags but one stand already, that is told', async () => {
  const findings = await play({
    id: 'standing',
    name: 'the tag of arc-controller is refused for good',
    prepare: ({target}) => {
      for (const [name, image] of release.images) {
        if (name !== 'arc-controller')
          putImage(target.store, `mirror/arcdata/${name}`, image, smallTag);
      }
    },
    target: [
      rule(
        {
          kind: 'manifest',
          method: 'PUT',
          repository: 'mirror/arcdata/arc-controller',
          tag: smallTag
        },
        status(409, {body: {json: error('TAG_LOCKED')}}),
        {times: always}
      )
    ],
    end: {refused: ['TAG_LOCKED', /The tags of .* stand there already.* Mend the reason/]},
    also: (_, run) => (tellOf(run).includes('No tag at the target') ? [tellOf(run)] : [])
  });
  expect(findings).toEqual([]);
});

test('a run that is cancelled while a registry is in trouble says both, once', async () => {
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start();
  putRelease(source.store, 'arcdata', release);
  const controller = new AbortController();
  let refused = 0;
  target.rule({
    on: {kind: 'upload'},
    times: 'always',
    do: {
      effect: 'custom',
      run: async exchange => {
        if (++refused === 40)
          controller.abort(new EndedError('the run was cancelled', 'Run again.'));
        await exchange.answer(503);
        return true;
      }
    }
  });
  const {record} = await mirrorRun({source, target, signal: controller.signal});
  const told = /the run was cancelled; it was trying again, since .* answers 503/;
  expect(verdict(record).sentence).toMatch(told);
  const messages = new Set(failures(record).map(({error}) => error.message));
  expect([...messages]).toEqual([expect.stringMatching(told)]);
});
