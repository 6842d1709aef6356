import {afterEach, beforeEach, expect, test} from '@jest/globals';

import {hostileErrors, hostileText} from '../../src/demo/body.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Rule} from '../../src/demo/rules.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {RuleWatch} from '../support/idle-rules.ts';
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

/** What a registry says, and what comes of it. */
interface Attack {
  readonly name: string;
  readonly side: 'source' | 'target';
  readonly rule: Rule;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly exit: 0 | 1;
  /** What a line says of it: the hostile text where it is told, and it has become harmless. */
  readonly said: string;
}

/** How the beginning of all the hostile text is told. */
const told = 'x ::add-mask::a x';

const attacks: readonly Attack[] = [
  {
    name: 'errors of the source',
    side: 'source',
    rule: {on: {kind: 'manifest'}, do: {effect: 'answer', status: 400, body: hostileErrors}},
    exit: 1,
    said: 'answers 400: x ::add-mask::a  ::set-output name=digest::evil ## [set-out'
  },
  {
    name: 'errors of the target at an upload',
    side: 'target',
    rule: {
      on: {kind: ['upload', 'mount']},
      do: {effect: 'answer', status: 403, body: wire(allHostile)}
    },
    exit: 1,
    said: `answers 403: ${told}`
  },
  {
    name: 'errors that are no JSON',
    side: 'target',
    rule: {
      on: {kind: 'manifest', method: 'PUT'},
      do: {effect: 'answer', status: 400, body: `${allHostile}${hostileText}`}
    },
    exit: 1,
    said: `answers 400: ${told}`
  },
  {
    name: 'warnings',
    side: 'source',
    rule: {
      on: {},
      do: {effect: 'headers', set: {Warning: `299 - "${header.replace(/["\\]/g, '')}"`}}
    },
    exit: 0,
    said: `warns: ${told}`
  },
  {
    name: 'a realm',
    side: 'target',
    rule: {
      on: {},
      do: {
        effect: 'answer',
        status: 401,
        headers: {
          'WWW-Authenticate': `Bearer realm="${header.replace(/["\\]/g, '')}",service="x"`
        }
      }
    },
    exit: 1,
    said: `asks for a token from "${told}`
  },
  {
    name: 'a redirect',
    side: 'source',
    rule: {on: {kind: 'blob'}, do: {effect: 'redirect', to: `gopher://x/${header}`}},
    exit: 1,
    said: 'redirects to gopher://x, which is not https'
  },
  {
    name: 'a Location',
    side: 'target',
    rule: {
      on: {kind: ['upload', 'mount']},
      do: {effect: 'headers', set: {Location: `http://x.example/${header}`}}
    },
    exit: 1,
    said: 'wants the upload to go on at x.example, another host'
  },
  {
    name: 'an encoding',
    side: 'source',
    rule: {
      on: {kind: 'manifest'},
      do: {effect: 'headers', set: {'Content-Encoding': header, 'Docker-Content-Digest': null}}
    },
    exit: 1,
    said: `it came with Content-Encoding ${told}`
  },
  {
    name: 'a type and a digest in headers',
    side: 'source',
    rule: {
      on: {kind: 'manifest'},
      do: {
        effect: 'headers',
        set: {'Content-Type': header, 'Docker-Content-Digest': header}
      }
    },
    // They are none: what the bytes say counts.
    exit: 0,
    said: `Mirrored 3 images of ${smallTag}`
  },
  {
    name: 'tags',
    side: 'source',
    rule: {
      on: {kind: 'tags'},
      do: {
        effect: 'substitute',
        body: {json: {name: allHostile, tags: [smallTag, allHostile, `${smallTag}\n::error::x`]}}
      }
    },
    inputs: {'source-tag': 'latest'},
    // None of them is a release, so that none is told.
    exit: 0,
    said: `${smallTag}: 3 images`
  },
  {
    name: 'a manifest',
    side: 'source',
    rule: {
      on: {kind: 'manifest'},
      do: {
        effect: 'custom',
        // Under its own digest: as other bytes it would not be looked at.
        run: ({route: {repository = ''}}) => {
          const body = {schemaVersion: 2, mediaType: allHostile, config: {digest: allHostile}};
          source.store.putManifest(
            repository,
            {mediaType: mediaTypes.ociManifest, body: JSON.stringify(body)},
            smallTag
          );
          return false;
        }
      }
    },
    exit: 1,
    // Quoted once more, as JSON that is told within a line.
    said: String.raw`the manifest has the type "\"x\\n::add-mask::a x\\r\\n  ::set-output`
  }
];

test.each(attacks)(
  'V13 log-commands $name cannot give commands, nor tell secrets',
  async ({side, rule, inputs, exit, said}) => {
    const registry = side === 'source' ? source : target;
    const watch = new RuleWatch();
    watch.add(side, registry);
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
        'insecure-registries': `${source.name}\n${target.name}`,
        ...inputs
      },
      {variables: {RUNNER_DEBUG: '1'}}
    );
    expect(watch.idle()).toEqual([]);
    expect({exit: end.exitCode, stderr: end.stderr}).toEqual({exit, stderr: ''});
    expect(end.stdout).toContain(said);
    const masks = end.commands.filter(({name}) => name === 'add-mask').map(({data}) => data);
    expect(logFindings(end.stdout + end.stderr, masks)).toEqual([]);
    expect(summaryFindings(end.summary)).toEqual([]);
    expect(Object.keys(end.outputs).filter(name => !documented.test(name))).toEqual([]);
    // Nothing but the commands that mask a secret may hold it.
    const all = [
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
    expect(secrets.filter(secret => all.includes(secret))).toEqual([]);
  }
);
