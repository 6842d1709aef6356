import {describe, expect, test} from '@jest/globals';

import type {LocationMode} from '../../src/demo/location.ts';
import type {RuleMatch} from '../../src/demo/rules.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {play, previous, release, type Row, type World} from '../support/fault-world.ts';
import {shortTimings} from '../support/mirror-run.ts';
import {
  account,
  always,
  asked,
  bare401,
  error,
  most as atMost,
  rule,
  short,
  signedIn,
  status
} from '../support/rows.ts';
import {imageOf, indexOf, putImage, putRelease, smallTag} from '../support/small-release.ts';

const {engine, base, late} = release;
const MiB = 1024 * 1024;
const nothing = {bytes: Buffer.alloc(0), digest: digestOf(Buffer.alloc(0))};
const controller = 'mirror/arcdata/arc-controller';
/** Uploads to a repository without the blob begin as a mount, in the hope that another has it. */
const post: RuleMatch = {kind: ['upload', 'mount'], method: 'POST'};
const patch: RuleMatch = {kind: 'upload', method: 'PATCH'};
const put: RuleMatch = {kind: 'upload', method: 'PUT'};
const putManifest: RuleMatch = {kind: 'manifest', method: 'PUT'};
const headBlob: RuleMatch = {kind: 'blob', method: 'HEAD'};
const headManifest: RuleMatch = {kind: 'manifest', method: 'HEAD'};

/** How many requests of that kind there were. */
const counted =
  (on: {method: string; kind: string}, most: number) =>
  ({target}: World): string[] => {
    const count = target.requests.filter(
      ({method, kind}) => method === on.method && kind === on.kind
    ).length;
    return count <= most ? [] : [`${on.method} ${on.kind} was asked ${count} times`];
  };

/** Bytes of blobs that went up more than once. */
const resent =
  (most: number) =>
  ({target}: World): string[] => {
    const sent = target.requests
      .filter(({kind}) => kind === 'upload')
      .reduce((sum, {bytesIn}) => sum + bytesIn, 0);
    const held = target.store
      .repositories()
      .flatMap(name => target.store.manifests(name).map(one => [name, one] as const));
    const unique = new Map<string, number>();
    for (const [name, {body}] of held) {
      const {config, layers = []} = JSON.parse(body.toString()) as {
        config?: {digest: string};
        layers?: {digest: string}[];
      };
      for (const {digest} of [...(config ? [config] : []), ...layers])
        unique.set(digest, target.store.blob(name, digest)?.size ?? 0);
    }
    const total = [...unique.values()].reduce((sum, size) => sum + size, 0);
    return sent <= total + most ? [] : [`${sent} bytes were sent for ${total}`];
  };

/** What lets every profile take this release. */
const anything = {creates: 'all', manifestTypes: 'all', refusedLayers: []} as const;

const rows: readonly Row[] = [
  {
    id: 'T1',
    name: 'POST 503 twice, 500 five times',
    target: [rule(post, status(503), {times: 2}), rule(post, status(500), {times: 5})],
    end: 'complete'
  },
  ...[500, 503, 429].map((code): Row => ({
    id: 'T1',
    name: `${code} four times at each step of uploads and manifests`,
    target: [post, patch, put, putManifest, headBlob, headManifest].map(on =>
      rule(on, status(code), {times: 4})
    ),
    end: 'complete'
  })),
  {
    id: 'T1',
    name: 'POST 503 for good',
    target: [rule(post, status(503), {times: always})],
    end: {refused: ['status 503', 'attempts', 'repository mirror/arcdata/']},
    longest: 900_000
  },
  ...['spec', 'distribution', 'ecr', 'zot'].flatMap((profile): Row[] =>
    ['reset', 'end'].flatMap((how): Row[] => [
      {
        id: 'T2',
        name: `${how} in mid-PATCH at ${profile}`,
        targetOptions: {profile: profile as 'spec', character: {...anything}},
        target: [rule(patch, {effect: 'cut-upload', after: 1_000_000, how: how as 'reset'})],
        end: 'complete'
      },
      {
        id: 'T2',
        name: `${how} in mid-PUT, three times, at ${profile}`,
        targetOptions: {profile: profile as 'spec', character: {...anything}},
        // The largest of those that go up in one PUT: it has that many bytes.
        target: [
          rule(
            {...put, digest: base.digest},
            {effect: 'cut-upload', after: 10_000, how: how as 'reset'},
            {times: 3}
          )
        ],
        end: 'complete'
      },
      {
        id: 'T2',
        name: `${how} of everything over a kilobyte, at ${profile}`,
        targetOptions: {profile: profile as 'spec', character: {...anything}},
        target: [
          rule(
            {kind: 'upload', repository: controller},
            {effect: 'cut-upload', after: 1000, how: how as 'reset'},
            {times: always}
          )
        ],
        end: {refused: ['repository mirror/arcdata/arc-controller', 'attempts', /broke|took no/]}
      }
    ])
  ),
  {
    id: 'T2',
    name: 'what has arrived of a broken upload is not sent again, where the registry keeps it',
    targetOptions: {profile: 'spec'},
    target: [rule(patch, {effect: 'cut-upload', after: 3_000_000})],
    end: 'complete',
    also: resent(0)
  },
  {
    id: 'T2',
    name: 'what broke goes on by a connection of its own: others may be broken as well',
    target: [rule({...patch, repository: controller}, {effect: 'cut-upload', after: 3_000_000})],
    end: 'complete',
    also: ({target: {requests}}) => {
      const bodies = requests.filter(
        ({method, repository, bytesIn}) =>
          method === 'PATCH' && repository === controller && bytesIn > 0
      );
      const broken = bodies.findIndex(({status: code}) => code === 0);
      const next = bodies[broken + 1];
      if (broken < 0 || next === undefined) return ['nothing broke'];
      const before = requests.slice(0, requests.indexOf(next));
      return before.some(({connection}) => connection === next.connection)
        ? ['it goes on by a connection that was there before']
        : [];
    }
  },
  {
    id: 'T2',
    name: 'an upload of which the registry takes no more',
    target: [rule(patch, {effect: 'stall-upload', after: 200_000})],
    network: short,
    end: 'complete'
  },
  {
    id: 'T2',
    name: 'a registry that never takes an upload to its end',
    target: [
      rule(
        {kind: 'upload', method: ['PUT', 'PATCH']},
        {effect: 'stall-upload', after: 1},
        {
          times: always
        }
      )
    ],
    network: {
      timings: {...shortTimings, commit: 100, idle: 100, answer: 200},
      patience: {own: 20_000, stranger: 10_000, told: 600_000, first: 500, longest: 30_000}
    },
    end: {refused: ['attempts', /took no more bytes|did not answer/]}
  },
  {
    id: 'T3',
    name: 'a commit is done, its answer lost',
    target: [rule(put, {effect: 'lose-answer'}, {times: 4})],
    end: 'complete',
    also: resent(0)
  },
  {
    id: 'T3',
    name: 'a commit is done, its answer never comes',
    target: [rule(put, {effect: 'lose-answer', how: 'stall'}, {times: 2})],
    network: short,
    end: 'complete',
    also: resent(0)
  },
  {
    id: 'T3',
    name: 'commits are done, the connection is closed in place of the answer',
    target: [
      rule({...put, repository: controller}, {effect: 'lose-answer', how: 'end'}, {times: 3})
    ],
    end: 'complete',
    also: resent(0)
  },
  ...(['reset', 'stall'] as const).flatMap((how): Row[] => [
    {
      id: 'T4',
      name: `manifests are stored, the answer is lost by ${how}`,
      target: [rule(putManifest, {effect: 'lose-answer', how}, {times: 4})],
      network: short,
      end: 'complete'
    },
    {
      id: 'T4',
      name: `a tag is set, the answer is lost by ${how}`,
      target: [rule({...putManifest, tag: smallTag}, {effect: 'lose-answer', how}, {times: 4})],
      network: short,
      end: 'complete'
    }
  ]),
  ...(
    [
      ['PATCH', patch],
      ['PUT', put],
      ['POST', post],
      ['a manifest', putManifest]
    ] as const
  ).flatMap(([name, on]): Row[] => [
    {
      id: 'T5',
      name: `tokens are revoked at ${name}`,
      ...signedIn,
      target: [rule(on, {effect: 'revoke-tokens'}, {times: 2})],
      end: 'complete'
    },
    {
      id: 'T5',
      name: `401 in the middle of the body of ${name}`,
      ...signedIn,
      target: [rule(on, status(401, {challenge: true, after: 1000, then: 'close'}))],
      end: 'complete'
    },
    {
      id: 'T5',
      name: `401 at ${name} whatever the token is`,
      ...signedIn,
      target: [rule(on, status(401, {challenge: true}), {times: always})],
      end: {refused: ['status 401', 'attempt', 'target-username and target-password']},
      longest: 60_000
    }
  ]),
  ...(['HEAD', 'PUT'] as const).map((method): Row => ({
    id: 'T5',
    name: `tokens are revoked at ${method} of manifests, and 401 is all that is said`,
    ...signedIn,
    target: [
      rule({kind: 'manifest', method}, {effect: 'revoke-tokens'}),
      bare401,
      rule({kind: 'token'}, {effect: 'delay', ms: 50}, {times: always})
    ],
    end: 'complete'
  })),
  {
    id: 'T5',
    name: 'tokens that live for a second',
    ...signedIn,
    targetOptions: {auth: {...account, tokenLifetime: 1}},
    end: 'complete'
  },
  ...(
    [
      [404, 'BLOB_UPLOAD_UNKNOWN'],
      [404, 'BLOB_UPLOAD_INVALID'],
      [400, 'BLOB_UPLOAD_INVALID'],
      [416, 'BLOB_UPLOAD_INVALID']
    ] as const
  ).flatMap(([code, word]): Row[] => [
    {
      id: 'T6',
      name: `uploads are lost with ${code} ${word}`,
      target: [
        rule(patch, {effect: 'lose-session', status: code, code: word}, {times: 2}),
        rule(put, {effect: 'lose-session', status: code, code: word}, {times: 4})
      ],
      end: 'complete'
    },
    {
      id: 'T6',
      name: `all uploads are lost with ${code} ${word}`,
      target: [
        rule(
          {kind: 'upload', method: ['PATCH', 'PUT']},
          {effect: 'lose-session', status: code, code: word},
          {
            times: always
          }
        )
      ],
      end: {refused: [`status ${code}`, word, 'attempts']},
      longest: 60_000
    }
  ]),
  ...[1, 4].flatMap((most): Row[] =>
    (['distribution', 'spec', 'acr'] as const).map((profile): Row => ({
      id: 'T7',
      name: `413 above ${most} MiB at ${profile}`,
      targetOptions: {profile},
      target: [rule({kind: 'upload'}, {effect: 'max-body', bytes: most * MiB}, {times: always})],
      end: 'complete',
      // What was found out for one blob is known for all, down to the floor of 1 MiB.
      also: ({target}) =>
        atMost(
          8,
          'requests were too large',
          target.requests.filter(one => one.status === 413).length
        )
    }))
  ),
  {
    id: 'T7',
    name: '413 above 4 MiB, and chunks of at least 2.5 MiB are wanted',
    targetOptions: {profile: 'spec', character: {chunkMinimum: 2.5 * MiB}},
    target: [rule({kind: 'upload'}, {effect: 'max-body', bytes: 4 * MiB}, {times: always})],
    end: 'complete',
    also: ({target}) => {
      const chunks = target.requests.filter(({headers}) => headers['content-range'] !== undefined);
      const wanted = ({headers}: (typeof chunks)[number]) =>
        Number(headers['content-range']?.split('-', 1)[0]) % (2.5 * MiB) === 0;
      // It is told when an upload is opened, and not again with each chunk.
      return chunks.length > 1 && chunks.every(wanted)
        ? []
        : chunks.map(({headers}) => `a chunk is ${headers['content-range'] ?? ''}`);
    }
  },
  {
    id: 'T7',
    name: '413 whatever comes',
    target: [
      rule(
        {kind: 'upload', method: ['PUT', 'PATCH']},
        {effect: 'max-body', bytes: 100},
        {times: always}
      )
    ],
    end: {refused: ['status 413', 'limits the size of requests']},
    longest: 60_000
  },
  {
    id: 'T7',
    name: 'large requests are reset without a word',
    target: [rule(patch, {effect: 'cut-upload', after: 1.2 * MiB}, {times: always})],
    end: 'complete'
  },
  {
    id: 'T8',
    name: 'bodies without Content-Length are refused',
    target: [rule({}, {effect: 'refuse-chunked'}, {times: always})],
    idle: true,
    end: 'complete',
    also: ({target}) =>
      target.requests.some(({headers}) => headers['transfer-encoding'] !== undefined)
        ? ['something was sent without its length']
        : []
  },
  {
    id: 'T9 end-13',
    name: '416 after half of a chunk: it goes on from there',
    targetOptions: {profile: 'spec'},
    target: [
      rule({kind: 'upload'}, {effect: 'max-body', bytes: 4 * MiB}, {times: always}),
      rule({...patch, contentRange: true}, {effect: 'take', bytes: 500_000, status: 416}, {skip: 1})
    ],
    end: 'complete',
    also: ({target}) =>
      target.requests.some(({headers}) =>
        headers['content-range']?.startsWith(`${2 * MiB + 500_000}-`)
      )
        ? []
        : ['no chunk begins where the registry said that it stood']
  },
  {
    id: 'T9',
    name: '416 without a Range',
    targetOptions: {profile: 'distribution'},
    target: [
      rule({kind: 'upload'}, {effect: 'max-body', bytes: 4 * MiB}, {times: always}),
      rule({...patch, contentRange: true}, status(416, {body: error('RANGE_INVALID')}), {skip: 1})
    ],
    end: 'complete'
  },
  ...(['RANGE', ''] as const).map((code): Row => ({
    id: 'T9',
    name: `416 at commits${code === '' ? '' : `, with ${code}`}`,
    target: [
      rule({...put, digest: engine.digest}, status(416, {body: code === '' ? '' : error(code)}), {
        times: 4
      })
    ],
    end: 'complete'
  })),
  {
    id: 'T9',
    name: 'Range is 0-0 where nothing has arrived: no byte is taken for one that is there',
    targetOptions: {profile: 'spec'},
    target: [rule(patch, {effect: 'cut-upload', after: 0})],
    end: 'complete',
    also: ({target}) =>
      target.requests
        .filter(({headers}) => headers['content-range']?.startsWith('1-'))
        .map(() => 'a chunk leaves the first byte out')
  },
  {
    id: 'T9',
    name: 'a Range beyond what was ever sent is not believed',
    targetOptions: {profile: 'spec'},
    target: [
      rule({kind: 'upload'}, {effect: 'max-body', bytes: 4 * MiB}, {times: always}),
      rule({...patch, contentRange: true}, {effect: 'cut-upload', after: 100_000}, {skip: 1}),
      rule(
        {kind: 'upload', method: 'GET'},
        {effect: 'headers', set: {Range: '0-999999999'}},
        {times: always}
      )
    ],
    end: 'complete',
    also: ({target}) =>
      target.requests
        .filter(
          ({kind, method, status: code}) => kind === 'upload' && method === 'PUT' && code === 400
        )
        .map(() => 'an upload was committed with bytes left out')
  },
  {
    id: 'T9',
    name: '202, though only a part was taken',
    targetOptions: {profile: 'spec'},
    target: [rule(patch, {effect: 'take', bytes: 500_000, status: 202})],
    end: 'complete'
  },
  ...(['first', 'chunk', 'total'] as const).map((patchRange): Row => ({
    id: 'T9',
    name: `Range after a chunk says: ${patchRange}`,
    targetOptions: {profile: 'spec', character: {patchRange}},
    target: [rule({kind: 'upload'}, {effect: 'max-body', bytes: 4 * MiB}, {times: always})],
    end: 'complete',
    also: resent(0)
  })),
  ...(['close', 'reset'] as const).flatMap((then): Row[] => [
    {
      id: 'T10',
      name: `403 while the body is on its way, then ${then}`,
      target: [
        rule(
          {...patch, repository: controller},
          status(403, {after: 1, then, body: error('DENIED', 'no quota')}),
          {times: always}
        )
      ],
      end: {refused: ['status 403', 'DENIED no quota']}
    },
    {
      id: 'T10',
      name: `503 while the body is on its way, then ${then}`,
      target: [rule(patch, status(503, {after: 100_000, then}), {times: 3})],
      end: 'complete'
    },
    {
      id: 'T10',
      name: `413 while the body is on its way, then ${then}`,
      target: [
        rule(patch, status(413, {after: 300_000, then, body: {html: '<p>too large'}}), {times: 1})
      ],
      end: 'complete'
    }
  ]),
  ...(['relative', 'absolute', 'query', 'no-slash', 'elsewhere', 'http'] as const).map(
    (mode): Row => ({
      id: 'T-L end-4a',
      name: `Location: ${mode}`,
      targetOptions: {character: {location: mode}},
      end: 'complete'
    })
  ),
  ...(['missing', 'garbage', 'other-host'] as const).flatMap((mode: LocationMode): Row[] => [
    {
      id: 'T-L',
      name: `Location: ${mode}, always`,
      prepare: ({target, sink}) => {
        target.rule(
          rule(
            {kind: ['upload', 'mount']},
            {effect: 'location', mode, host: sink.name},
            {times: always}
          )
        );
      },
      end: {refused: [/did not say where it goes on|another host|another port/]},
      also: ({sink}) => sink.requests.map(({method, path}) => `${method} ${path} came to the sink`)
    },
    {
      id: 'T-L',
      name: `Location: ${mode}, once`,
      prepare: ({target, sink}) => {
        target.rule(
          rule(
            {kind: ['upload', 'mount'], method: 'POST'},
            {effect: 'location', mode, host: sink.name}
          )
        );
      },
      end: 'complete',
      also: ({sink}) => sink.requests.map(({method, path}) => `${method} ${path} came to the sink`)
    }
  ]),
  ...[403, 405, 500, 501].map((code): Row => ({
    id: 'T11',
    name: `HEAD of blobs is answered with ${code}`,
    target: [rule(headBlob, status(code), {times: always})],
    end: 'complete'
  })),
  {
    id: 'T11',
    name: 'HEAD of blobs is refused, and blobs vanish',
    targetOptions: {verifyReferences: false},
    target: [
      rule(headBlob, status(403), {times: always}),
      rule(put, {effect: 'vanish'}, {times: 2})
    ],
    end: 'complete'
  },
  ...[403, 404, 405, 500].map((code): Row => ({
    id: 'T12',
    name: `HEAD of manifests is answered with ${code}`,
    target: [rule(headManifest, status(code), {times: always})],
    end: 'complete'
  })),
  {
    id: 'T12',
    name: 'HEAD of manifests is answered with 401 whatever the token is',
    ...signedIn,
    target: [rule(headManifest, status(401, {challenge: true}), {times: always})],
    end: 'complete'
  },
  {
    id: 'T11',
    name: 'HEAD of blobs is answered with 401 whatever the token is',
    ...signedIn,
    target: [rule(headBlob, status(401, {challenge: true}), {times: always})],
    end: 'complete'
  },
  {
    id: 'T11',
    name: 'HEAD of blobs is answered with 401: a new token',
    ...signedIn,
    target: [rule(headBlob, {effect: 'revoke-tokens'}, {times: 5})],
    end: 'complete'
  },
  ...[401, 403].map((code): Row => ({
    id: 'T12',
    name: `a tag that is not there is answered with ${code} (HEAD and GET)`,
    ...signedIn,
    prepare: ({target}) => {
      target.rule(
        rule(
          {kind: 'manifest', method: ['HEAD', 'GET']},
          {
            effect: 'custom',
            run: async exchange => {
              const {repository = '', tag, digest} = exchange.route;
              if (target.store.manifest(repository, tag ?? digest ?? '') !== undefined)
                return false;
              await exchange.answer(code, {}, error('DENIED'));
              return true;
            }
          },
          {times: always}
        )
      );
    },
    end: 'complete'
  })),
  ...[401, 403, 404, 405, 500, 503].map((code): Row => ({
    id: 'T13 end-11',
    name: `mounts are answered with ${code}`,
    target: [
      rule(
        {kind: 'mount'},
        status(code, {body: error(code === 401 ? 'UNAUTHORIZED' : 'UNSUPPORTED')}),
        {times: always}
      )
    ],
    end: 'complete'
  })),
  {
    id: 'T13',
    name: 'a mount needs a token for the repository that it is from, too',
    ...signedIn,
    end: 'complete',
    also: ({target}) => {
      const commits = asked(target.requests, 'upload', 'PUT').map(({query}) =>
        new URLSearchParams(query).get('digest')
      );
      return atMost(0, 'blobs went up twice', commits.length - new Set(commits).size);
    }
  },
  ...(['any', 'committed', 'never'] as const).map((mount): Row => ({
    id: 'T13',
    name: `mounts work: ${mount}`,
    targetOptions: {character: {mount}},
    end: 'complete'
  })),
  ...[true, false].flatMap((verifyReferences): Row[] => [
    {
      id: 'T13',
      name: `mounts are answered with 201, but nothing is there (references ${verifyReferences ? 'are' : 'are not'} checked)`,
      targetOptions: {verifyReferences},
      target: [rule({kind: 'mount'}, {effect: 'vanish'}, {times: always})],
      end: 'complete'
    },
    {
      id: 'T15',
      name: `blobs are answered with 201, but not kept, once each (references ${verifyReferences ? 'are' : 'are not'} checked)`,
      targetOptions: {verifyReferences},
      target: [rule(put, {effect: 'vanish'}, {times: 5})],
      end: 'complete'
    },
    {
      id: 'T15',
      name: `one blob is never kept (references ${verifyReferences ? 'are' : 'are not'} checked)`,
      targetOptions: {verifyReferences},
      target: [rule({...put, digest: late.digest}, {effect: 'vanish'}, {times: always})],
      end: {refused: [late.digest, 'repository mirror/arcdata/arc-dns']}
    },
    {
      id: 'T15',
      name: `a child is answered with 201, but not kept (references ${verifyReferences ? 'are' : 'are not'} checked)`,
      targetOptions: {verifyReferences},
      target: [
        rule(
          {...putManifest, digest: release.images.get('arc-dns')?.children[1]?.digest ?? ''},
          {effect: 'vanish'}
        )
      ],
      end: 'complete'
    },
    {
      id: 'T15',
      name: `no manifest by digest is kept (references ${verifyReferences ? 'are' : 'are not'} checked)`,
      targetOptions: {verifyReferences},
      target: [
        rule(
          {...putManifest, digest: release.images.get('arc-dns')?.children[0]?.digest ?? ''},
          {effect: 'vanish'},
          {times: always}
        )
      ],
      end: {
        refused: [
          release.images.get('arc-dns')?.children[0]?.digest ?? '',
          'mirror/arcdata/arc-dns'
        ]
      }
    },
    {
      id: 'T15',
      name: `a tag is answered with 201, but not kept (references ${verifyReferences ? 'are' : 'are not'} checked)`,
      targetOptions: {verifyReferences},
      target: [rule({...putManifest, tag: smallTag}, {effect: 'vanish'}, {times: always})],
      end: {refused: [/was put to sha256:[0-9a-f]{64}, but reads/]}
    }
  ]),
  ...[true, false].map((verifyReferences): Row => ({
    id: 'T15',
    name: `of two blobs that are not kept the source has lost one (references ${verifyReferences ? 'are' : 'are not'} checked)`,
    targetOptions: {verifyReferences},
    inputs: {images: 'arc-controller'},
    network: short,
    target: [base, engine].map(({digest}) => rule({...put, digest}, {effect: 'vanish'})),
    source: [
      rule({kind: 'blob', digest: base.digest}, status(404), {skip: 1, times: always}),
      rule(
        {kind: 'blob', digest: engine.digest},
        {effect: 'cut-download', after: MiB, how: 'stall'},
        {skip: 1}
      )
    ],
    end: {refused: [base.digest, 'answers 404']},
    // The other one is on its way when that is found out: it arrives, and is not sent a third time.
    also: counted({method: 'PATCH', kind: 'upload'}, 2)
  })),
  ...[1, 3].flatMap((times): Row[] => [
    {
      id: 'T14',
      name: `MANIFEST_BLOB_UNKNOWN ${times} times, nothing is missing`,
      target: [rule({...putManifest, repository: controller}, {effect: 'missing'}, {times})],
      end: 'complete'
    },
    {
      id: 'T14',
      name: `MANIFEST_BLOB_UNKNOWN ${times} times, and all of it is gone`,
      target: [
        rule({...putManifest, repository: controller}, {effect: 'missing', drop: true}, {times})
      ],
      end: 'complete'
    }
  ]),
  {
    id: 'T14',
    name: 'MANIFEST_BLOB_UNKNOWN without a detail',
    target: [
      rule(putManifest, status(400, {body: error('MANIFEST_BLOB_UNKNOWN', 'blob unknown')}), {
        times: 4
      })
    ],
    end: 'complete'
  },
  {
    id: 'T14',
    name: 'children that the index is said to miss',
    target: [
      rule(
        {...putManifest, digest: release.images.get('arc-dns')?.digest ?? ''},
        {effect: 'missing', drop: true},
        {times: 2}
      )
    ],
    end: 'complete'
  },
  {
    id: 'T14',
    name: 'MANIFEST_BLOB_UNKNOWN for a minute',
    prepare: ({target}) => {
      target.rule(
        rule(putManifest, {
          effect: 'custom',
          run: () => {
            target.rule(
              rule(putManifest, {effect: 'missing'}, {times: always, window: {to: 60_000}})
            );
            return false;
          }
        })
      );
    },
    end: 'complete'
  },
  {
    id: 'T14',
    name: 'MANIFEST_BLOB_UNKNOWN for good',
    target: [rule({...putManifest, repository: controller}, {effect: 'missing'}, {times: always})],
    end: {refused: ['MANIFEST_BLOB_UNKNOWN', 'status 400', 'mirror/arcdata/arc-controller']},
    // A minute at least, in each of the two passes.
    also: (_, {waited}) => (waited >= 120_000 ? [] : [`it gave up after ${waited} ms`])
  },
  {
    id: 'T18',
    name: 'a tag that was put reads as something else, once',
    prepare: ({target}) => {
      const dns = 'mirror/arcdata/arc-dns';
      let stale = 1;
      target.rule(
        rule(
          {kind: 'manifest', method: ['HEAD', 'GET'], repository: dns, tag: smallTag},
          {
            effect: 'custom',
            run: async exchange => {
              const put = target.store.tag(dns, smallTag) === release.images.get('arc-dns')?.digest;
              if (!put || stale-- <= 0) return false;
              const {digest, mediaType, body} = previous.images.get('arc-dns') ?? {};
              await exchange.answer(
                200,
                {'Docker-Content-Digest': digest ?? '', 'Content-Type': mediaType ?? ''},
                body
              );
              return true;
            }
          },
          {times: always}
        )
      );
    },
    end: 'complete',
    also: ({target}) => {
      const looks = target.requests.filter(
        ({kind, method, path}) =>
          kind === 'manifest' && method !== 'PUT' && path.endsWith(`arc-dns/manifests/${smallTag}`)
      );
      return looks.length >= 2 ? [] : ['it was not read once more'];
    }
  },
  {
    id: 'T18',
    name: 'the digest that a manifest PUT echoes is another one',
    target: [
      rule(
        putManifest,
        {effect: 'headers', set: {'Docker-Content-Digest': base.digest}},
        {times: always}
      )
    ],
    end: 'complete'
  },
  {
    id: 'T18',
    name: 'the digest is another one, and so are the bytes',
    target: [
      rule(
        {...putManifest, repository: controller},
        {effect: 'headers', set: {'Docker-Content-Digest': base.digest}},
        {times: always}
      ),
      rule(
        {kind: 'manifest', method: 'GET', repository: controller},
        {effect: 'substitute', body: previous.images.get('arc-controller')?.body ?? ''},
        {times: always}
      )
    ],
    end: {refused: [/other bytes|says that it stored/]}
  },
  {
    id: 'T18',
    name: 'the digest that a blob PUT echoes is another one: it is looked at',
    target: [
      rule(
        {...put, digest: late.digest},
        {effect: 'headers', set: {'Docker-Content-Digest': base.digest}},
        {times: always}
      )
    ],
    end: 'complete',
    also: ({target}) =>
      target.requests.some(
        ({kind, method, path}) => kind === 'blob' && method === 'HEAD' && path.endsWith(late.digest)
      )
        ? []
        : ['nobody looked at it']
  },
  {
    id: 'T18',
    name: 'the digest that a blob PUT echoes is another one, and so says HEAD',
    // Where the registry looks at references by itself, its own look counts.
    targetOptions: {verifyReferences: false},
    target: [
      rule(
        {...put, digest: late.digest},
        {effect: 'headers', set: {'Docker-Content-Digest': base.digest}},
        {times: always}
      ),
      rule(
        {kind: 'blob', digest: late.digest},
        {effect: 'headers', set: {'Docker-Content-Digest': base.digest}},
        {times: always}
      )
    ],
    end: {refused: [late.digest, /does not have it/, 'mirror/arcdata/arc-dns']}
  },
  ...[403, 507].map((code): Row => ({
    id: 'T19',
    name: `${code} after three blobs`,
    target: [
      rule(
        {kind: 'upload', method: ['PUT', 'PATCH']},
        status(code, {body: error('DENIED', 'the quota of 10 GiB is used up')}),
        {skip: 3, times: always}
      )
    ],
    end: {refused: [`status ${code}`, 'the quota of 10 GiB is used up']},
    longest: 60_000,
    // A quota may be one of this repository, a full disk is one of all: nothing is tried once more.
    also: (_, {reporter}) => {
      const again = reporter.lines.some(({text}) => text.includes('they are tried once more'));
      return again === (code === 403) ? [] : [`tried once more: ${String(again)}`];
    }
  })),
  ...[403, 405, 412, 423, 507].map((code): Row => ({
    id: 'T24',
    name: `manifests are refused with ${code}`,
    target: [
      rule(
        putManifest,
        status(code, {body: error('DENIED', 'the repository is locked by admin')}),
        {
          times: always
        }
      )
    ],
    end: {refused: [`status ${code}`, 'the repository is locked by admin']},
    longest: 60_000,
    // One of each, and once more in the second pass; where it may be a lock, it is looked at.
    also: counted({method: 'PUT', kind: 'manifest'}, 12)
  })),
  {
    id: 'T22',
    name: 'kept connections are closed at once',
    target: [rule({}, {effect: 'close-idle', ms: 1}, {times: always})],
    source: [rule({}, {effect: 'close-idle', ms: 1}, {times: always})],
    end: 'complete'
  },
  ...[true, false].map((announced): Row => ({
    id: 'T22',
    name: `every connection is closed after three answers, ${announced ? '' : 'un'}announced`,
    target: [rule({}, {effect: 'close-after', requests: 3, announced}, {times: always})],
    source: [rule({}, {effect: 'close-after', requests: 3, announced}, {times: always})],
    end: 'complete'
  })),
  {
    id: 'T22',
    name: 'the target restarts in the middle',
    prepare: ({target, source}) => {
      source.rule(
        rule(
          {kind: 'blob'},
          {
            effect: 'custom',
            run: () => {
              setTimeout(() => {
                target.dropConnections();
              }, 5);
              return false;
            }
          },
          {times: 5}
        )
      );
    },
    end: 'complete'
  },
  {
    id: 'T30',
    name: 'an empty blob, the same layer twice, one blob in ten children',
    prepare: ({source}) => {
      const children = Array.from({length: 10}, (_, i) =>
        imageOf(`child ${i}`, 'oci', [base, nothing, base, late])
      );
      putImage(source.store, 'arcdata/arc-dns', indexOf(mediaTypes.ociIndex, children), smallTag);
    },
    end: 'complete',
    also: resent(0)
  },
  {
    id: 'T30',
    name: 'an index in an index',
    prepare: ({source}) => {
      const inner = indexOf(mediaTypes.ociIndex, [imageOf('inner', 'oci', [base])]);
      putImage(
        source.store,
        'arcdata/arc-dns',
        indexOf(mediaTypes.ociIndex, [inner, imageOf('outer', 'docker', [late])]),
        smallTag
      );
    },
    end: 'complete'
  },
  {
    id: 'end-4b',
    name: 'an upload of the whole blob by one POST is not relied on',
    targetOptions: {character: {singlePost: false}},
    end: 'complete'
  },
  {
    id: 'end-5',
    name: 'PATCH is answered with 201',
    targetOptions: {character: {patchStatus: 201}},
    end: 'complete'
  },
  {
    id: 'end-6',
    name: 'commits are answered with 202 and 204',
    prepare: ({target}) => {
      target.rule(
        rule(
          put,
          {
            effect: 'custom',
            run: exchange => {
              const answer = exchange.answer.bind(exchange);
              exchange.answer = (code, headers, body) =>
                answer(code === 201 ? 202 : code, headers, body);
              return false;
            }
          },
          {times: always}
        )
      );
    },
    end: 'complete'
  }
];

/** Those in which it matters what stood there before. */
const overPrevious = rows.filter(
  ({id, end}) => end !== 'complete' || ['T3', 'T4', 'T14', 'T15', 'T18'].includes(id)
);

describe('faults at a target without the release', () => {
  test.each(rows.map(row => [row.id, row.name, row] as const))('%s %s', async (_id, _name, row) => {
    expect(await play(row, 'nothing')).toEqual([]);
  });
});

describe('faults at a target with another image under the tag', () => {
  test.each(overPrevious.map(row => [row.id, row.name, row] as const))(
    '%s %s',
    async (_i, _n, row) => {
      expect(await play(row, 'previous')).toEqual([]);
    }
  );
});

const damages: readonly Row[] = [
  {
    id: 'T16',
    name: 'a layer is missing below the tag',
    prepare: ({target}) => {
      putRelease(target.store, 'mirror/arcdata', release);
      target.store.deleteBlob(controller, engine.digest);
    },
    end: 'complete'
  },
  {
    id: 'T16',
    name: 'all layers are missing below all tags',
    prepare: ({target}) => {
      putRelease(target.store, 'mirror/arcdata', release);
      for (const [name, image] of release.images)
        for (const {blobs} of [image, ...image.children])
          for (const {digest} of blobs) target.store.deleteBlob(`mirror/arcdata/${name}`, digest);
    },
    end: 'complete'
  },
  {
    id: 'T16',
    name: 'an empty layer is missing below the tag, which is no byte to copy',
    prepare: ({source, target}) => {
      const image = imageOf('with nothing', 'docker', [base, nothing]);
      putImage(source.store, 'arcdata/arc-dns', image, smallTag);
      putRelease(target.store, 'mirror/arcdata', release);
      putImage(target.store, 'mirror/arcdata/arc-dns', image, smallTag);
      target.store.deleteBlob('mirror/arcdata/arc-dns', nothing.digest);
    },
    end: 'complete',
    also: ({target}) => {
      const there = target.store.blob('mirror/arcdata/arc-dns', nothing.digest);
      return there ? [] : ['it is not there'];
    }
  },
  {
    id: 'T16',
    name: 'a layer has half its length',
    prepare: ({target}) => {
      putRelease(target.store, 'mirror/arcdata', release);
      target.rule(
        rule(
          {...headBlob, digest: late.digest},
          {effect: 'headers', set: {'Content-Length': '20000'}}
        )
      );
      target.rule(
        rule(
          {kind: 'blob', method: 'GET', ranged: true, digest: late.digest},
          {effect: 'headers', set: {'Content-Range': 'bytes 0-0/20000'}}
        )
      );
    },
    end: 'complete',
    also: ({target}) =>
      asked(target.requests, 'upload', 'PUT').length > 0 ? [] : ['it was not sent again']
  },
  {
    id: 'T17',
    name: 'children are there, their blobs are not',
    prepare: ({target}) => {
      putRelease(target.store, 'mirror/arcdata', release);
      for (const {blobs} of release.images.get('arc-dns')?.children ?? [])
        for (const {digest} of blobs) target.store.deleteBlob('mirror/arcdata/arc-dns', digest);
    },
    end: 'complete'
  },
  {
    id: 'T17',
    name: 'a child is missing below the tag',
    prepare: ({target}) => {
      putRelease(target.store, 'mirror/arcdata', release);
      const child = release.images.get('arc-dns')?.children[0]?.digest ?? '';
      target.store.deleteManifest('mirror/arcdata/arc-dns', child);
    },
    end: 'complete'
  },
  {
    id: 'T17',
    name: 'the index is there without its tag, its blobs are not',
    prepare: ({target}) => {
      putRelease(target.store, 'mirror/arcdata', release);
      target.store.deleteTag('mirror/arcdata/arc-dns', smallTag);
      for (const {blobs} of release.images.get('arc-dns')?.children ?? [])
        for (const {digest} of blobs) target.store.deleteBlob('mirror/arcdata/arc-dns', digest);
    },
    end: 'complete'
  },
  {
    id: 'T23',
    name: 'an immutable tag with the same digest is a success',
    targetOptions: {character: {immutableTags: 'refused'}},
    prepare: ({target}) => {
      putRelease(target.store, 'mirror/arcdata', release);
    },
    end: 'complete',
    also: counted({method: 'PUT', kind: 'manifest'}, 0)
  },
  {
    id: 'T23',
    name: 'immutable tags, whose first answers are lost',
    targetOptions: {character: {immutableTags: 'refused'}},
    target: [rule({...putManifest, tag: smallTag}, {effect: 'lose-answer'}, {times: 2})],
    end: 'complete'
  },
  ...[405, 412, 423].map((code): Row => ({
    id: 'T23',
    name: `immutable tags, whose first answers are lost, refused with ${code}`,
    target: [
      rule({...putManifest, tag: smallTag}, {effect: 'lose-answer'}, {times: 2}),
      rule(
        {...putManifest, tag: smallTag},
        {effect: 'immutable', same: 'refused', status: code},
        {times: always}
      )
    ],
    end: 'complete'
  })),
  ...[400, 409].map((code): Row => ({
    id: 'T23',
    name: `an immutable tag with another digest (${code})`,
    target: [
      rule({...putManifest, tag: smallTag}, {effect: 'immutable', status: code}, {times: always})
    ],
    prepare: ({target}) => {
      putRelease(target.store, 'mirror/arcdata', previous);
    },
    end: {refused: [/immutable/, `status ${code}`, 'TAG_INVALID']},
    longest: 60_000
  }))
];

describe('what stands at the target', () => {
  test.each(damages.map(row => [row.id, row.name, row] as const))('%s %s', async (_i, _n, row) => {
    expect(await play(row)).toEqual([]);
  });
});
