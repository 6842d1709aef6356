import {afterEach, beforeEach, expect, test} from '@jest/globals';

import {hostileErrors, hostileText} from '../../src/demo/body.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Rule} from '../../src/demo/rules.ts';
import {allHostile, logFindings, summaryFindings} from '../support/oracle-injection.ts';
import {putRelease, smallNames, smallRelease, smallTag} from '../support/small-release.ts';
import {Job} from '../support/step.ts';

const password = 'c"a$n%a\'ry pässwörd';
const auth = {kind: 'bearer', username: 'robot', password} as const;

let source: EmbeddedRegistry;
let target: EmbeddedRegistry;
let job: Job;

beforeEach(async () => {
  source = await EmbeddedRegistry.start();
  target = await EmbeddedRegistry.start({auth});
  putRelease(source.store, 'arcdata', smallRelease());
  job = await Job.begin();
});

afterEach(async () => {
  for (const one of [job, source, target]) await one[Symbol.asyncDispose]();
});

const documented =
  /^(?:images|releases?|changed|bytes-(?:copied|mounted|present)|lock-file|hand-over|matrix|arc-[a-z-]+)$/;

const wire = (text: string) => ({errors: [{code: text, message: text, detail: {text}}]});
/** A header can hold no line break; everything else it may. */
const header = allHostile.replace(/[^\x20-\x7e]/g, ' ');

const answers: readonly (readonly [string, Rule, 'source' | 'target'])[] = [
  [
    'errors of the source',
    {on: {kind: 'manifest'}, do: {effect: 'answer', status: 400, body: hostileErrors}},
    'source'
  ],
  [
    'errors of the target at an upload',
    {on: {kind: ['upload', 'mount']}, do: {effect: 'answer', status: 403, body: wire(allHostile)}},
    'target'
  ],
  [
    'errors that are no JSON',
    {
      on: {kind: 'manifest', method: 'PUT'},
      do: {effect: 'answer', status: 400, body: `${allHostile}${hostileText}`}
    },
    'target'
  ],
  [
    'warnings',
    {on: {}, do: {effect: 'headers', set: {Warning: `299 - "${header.replace(/["\\]/g, '')}"`}}},
    'source'
  ],
  [
    'a realm',
    {
      on: {},
      do: {
        effect: 'answer',
        status: 401,
        headers: {'WWW-Authenticate': `Bearer realm="${header.replace(/["\\]/g, '')}",service="x"`}
      }
    },
    'target'
  ],
  [
    'a redirect',
    {on: {kind: 'blob'}, do: {effect: 'redirect', to: `gopher://x/${header}`}},
    'source'
  ],
  [
    'a Location',
    {
      on: {kind: ['upload', 'mount']},
      do: {effect: 'headers', set: {Location: `http://x.example/${header}`}}
    },
    'target'
  ],
  [
    'types and digests in headers',
    {
      on: {kind: 'manifest'},
      do: {
        effect: 'headers',
        set: {'Content-Type': header, 'Docker-Content-Digest': header, 'Content-Encoding': header}
      }
    },
    'source'
  ],
  [
    'tags',
    {
      on: {kind: 'tags'},
      do: {
        effect: 'substitute',
        body: {json: {name: allHostile, tags: [smallTag, allHostile, `${smallTag}\n::error::x`]}}
      }
    },
    'source'
  ],
  [
    'a manifest',
    {
      on: {kind: 'manifest'},
      do: {
        effect: 'substitute',
        body: JSON.stringify({
          schemaVersion: 2,
          mediaType: allHostile,
          config: {digest: allHostile}
        })
      }
    },
    'source'
  ]
];

test.each(answers)(
  'V13 log-commands %s cannot give commands, nor tell secrets',
  async (_name, rule, side) => {
    const registry = side === 'source' ? source : target;
    registry.rule({times: 'always', ...rule});
    const end = await job.run(
      {
        'source-registry': source.name,
        'source-tag': smallTag,
        'target-registry': target.name,
        'target-repository': 'arcdata',
        'target-username': auth.username,
        'target-password': password,
        images: smallNames.join('\n'),
        'insecure-registries': `${source.name}\n${target.name}`
      },
      {variables: {RUNNER_DEBUG: '1'}}
    );
    const masks = end.commands.filter(({name}) => name === 'add-mask').map(({data}) => data);
    expect(logFindings(end.stdout + end.stderr, masks)).toEqual([]);
    expect(summaryFindings(end.summary)).toEqual([]);
    expect(Object.keys(end.outputs).filter(name => !documented.test(name))).toEqual([]);
    // Nothing but the commands that mask a secret may hold it.
    const told = [
      ...end.stdout.split('\n').filter(line => !line.startsWith('::add-mask::')),
      end.stderr,
      end.summary,
      ...Object.values(end.outputs)
    ].join('\n');
    const secrets = [
      password,
      encodeURIComponent(password),
      Buffer.from(`${auth.username}:${password}`).toString('base64'),
      ...target.requests.flatMap(({headers}) => headers.authorization?.split(' ')[1] ?? [])
    ];
    expect(secrets.filter(secret => told.includes(secret))).toEqual([]);
  }
);
