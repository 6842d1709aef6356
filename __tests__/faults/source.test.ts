import {describe, expect, test} from '@jest/globals';

import type {RuleMatch} from '../../src/demo/rules.ts';
import type {RequestRecord} from '../../src/demo/record.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {play, previous, release, type Row, type World} from '../support/fault-world.ts';
import {smallBounds} from '../support/mirror-run.ts';
import {
  account,
  always,
  bare401,
  rule,
  short,
  sourceLogin,
  status,
  unversioned
} from '../support/rows.ts';
import {putRelease, smallNames, smallTag} from '../support/small-release.ts';

const {engine, base} = release;
const readEngine: RuleMatch = {kind: 'blob', method: 'GET', digest: engine.digest};
const readBlob: RuleMatch = {kind: 'blob', method: 'GET'};
const readManifest: RuleMatch = {kind: 'manifest', method: 'GET'};

const readsOf = ({source}: World, digest: string): readonly RequestRecord[] =>
  source.requests.filter(({method, path}) => method === 'GET' && path.endsWith(`/blobs/${digest}`));

/** Bytes of the engine that travelled more than once. */
const again = (world: World): number =>
  readsOf(world, engine.digest).reduce((sum, {bytesOut}) => sum + bytesOut, 0) -
  engine.bytes.length;

const resumed =
  (most: number) =>
  (world: World): string[] =>
    again(world) <= most && readsOf(world, engine.digest).some(({headers}) => headers.range)
      ? []
      : [`${again(world)} bytes came twice`];

/** A reset throws away what has not been read yet, up to all that was sent; an end does not. */
const unread = {reset: 1_000_000, end: 0};

const few =
  (digest: string, most: number) =>
  (world: World): string[] => {
    const count = readsOf(world, digest).length;
    return count <= most ? [] : [`${digest} was read ${count} times`];
  };

const rows: readonly Row[] = [
  ...(
    [
      ['S1', 'reset'],
      ['S2', 'end']
    ] as const
  ).flatMap(([id, how]): Row[] => [
    {
      id,
      name: `${how} in mid-download goes on by Range`,
      source: [rule(readEngine, {effect: 'cut-download', after: 1_000_000, how})],
      end: 'complete',
      also: resumed(unread[how])
    },
    {
      id,
      name: `${how} five times, each a little further`,
      source: [rule(readEngine, {effect: 'cut-download', after: 500_000, how}, {times: 5})],
      end: 'complete',
      also: resumed(5 * unread[how])
    },
    {
      id,
      name: `${how}, and Range is ignored`,
      source: [
        rule(readEngine, {effect: 'cut-download', after: 1_000_000, how}),
        rule(readEngine, {effect: 'ignore-range'}, {times: always})
      ],
      end: 'complete',
      also: resumed(2_000_000)
    },
    {
      id,
      name: `${how} within a manifest`,
      source: [rule(readManifest, {effect: 'cut-download', after: 100, how}, {times: 3})],
      end: 'complete'
    },
    {
      id,
      name: `${how} of every download after a kilobyte ends in a refusal`,
      source: [rule(readEngine, {effect: 'cut-download', after: 1000, how}, {times: always})],
      end: {refused: [engine.digest, 'arcdata/arc-controller', /ended|broke/]}
    }
  ]),
  {
    id: 'S1',
    name: 'every download ends after a quarter of a megabyte: what gets on is waited for anew',
    source: [
      rule(readEngine, {effect: 'cut-download', after: 270_000, how: 'end'}, {times: always})
    ],
    end: 'complete',
    also: resumed(0)
  },
  {
    id: 'S1',
    name: 'another part comes than was asked for',
    source: [
      rule(readEngine, {effect: 'cut-download', after: 1_000_000}),
      rule(
        {...readEngine, ranged: true},
        {effect: 'headers', set: {'Content-Range': `bytes 5-9/${engine.bytes.length}`}}
      )
    ],
    end: 'complete'
  },
  {
    id: 'S3 end-2',
    name: 'wrong bytes once',
    source: [rule(readEngine, {effect: 'flip', at: 4_000_000})],
    end: 'complete',
    also: few(engine.digest, 2)
  },
  {
    id: 'S3',
    name: 'the very last byte is wrong twice',
    source: [rule(readEngine, {effect: 'flip', at: engine.bytes.length - 1}, {times: 2})],
    end: 'complete',
    also: few(engine.digest, 3)
  },
  {
    id: 'S3',
    name: 'wrong bytes always',
    source: [rule(readEngine, {effect: 'flip', at: 10}, {times: always})],
    end: {refused: [engine.digest, /other bytes: sha256:[0-9a-f]{64} instead of/, 'attempts']},
    // Twice more in each of the two passes.
    also: few(engine.digest, 6)
  },
  {
    id: 'S3',
    name: 'a manifest with wrong bytes once',
    source: [rule(readManifest, {effect: 'flip', at: 60})],
    end: 'complete'
  },
  {
    id: 'S3',
    name: 'a manifest with wrong bytes always',
    source: [rule(readManifest, {effect: 'flip', at: 60}, {times: always})],
    end: {refused: [/other bytes|not JSON/, 'sha256:']}
  },
  {
    id: 'S3',
    name: 'a part that goes on wrong after a reset',
    source: [
      rule(readEngine, {effect: 'cut-download', after: 1_000_000}),
      rule({...readEngine, ranged: true}, {effect: 'flip', at: 10})
    ],
    end: 'complete'
  },
  {
    id: 'S4',
    name: 'a stall in the body goes on by Range',
    source: [rule(readEngine, {effect: 'cut-download', after: 1_000_000, how: 'stall'})],
    network: short,
    end: 'complete',
    also: resumed(0)
  },
  {
    id: 'S4',
    name: 'a stall in a manifest',
    source: [rule(readManifest, {effect: 'cut-download', after: 50, how: 'stall'})],
    network: short,
    end: 'complete'
  },
  {
    id: 'S4',
    name: 'a short halt is no stall',
    source: [rule(readEngine, {effect: 'cut-download', after: 1_000_000, how: 'stall', ms: 100})],
    network: short,
    end: 'complete',
    also: few(engine.digest, 1)
  },
  ...(['ping', 'tags', 'manifest', 'blob'] as const).map((kind): Row => ({
    id: 'S5',
    name: `a stall before the answer to ${kind}`,
    source: [...(kind === 'ping' ? [unversioned] : []), rule({kind}, {effect: 'stall'})],
    network: short,
    end: 'complete'
  })),
  ...[500, 502, 503, 504, 408, 499, 522].flatMap((code): Row[] => [
    {
      id: 'S6',
      name: `${code} four times, blobs and manifests`,
      source: [
        rule(readBlob, status(code), {times: 4}),
        rule(readManifest, status(code), {times: 4})
      ],
      end: 'complete'
    },
    {
      id: 'S6',
      name: `${code} in place of the rest of a blob`,
      source: [
        rule(readEngine, {effect: 'cut-download', after: 1_000_000}),
        rule({...readEngine, ranged: true}, status(code, {body: {html: 'down'}}), {times: 3})
      ],
      end: 'complete',
      also: resumed(unread.reset + 100)
    }
  ]),
  ...[10, 60].flatMap((seconds): Row[] => [
    {
      id: 'S6',
      name: `a burst of 503 for ${seconds} s from the start`,
      source: [rule({}, status(503), {times: always, window: {to: seconds * 1000}})],
      end: 'complete'
    },
    {
      id: 'S6',
      name: `a burst of resets for ${seconds} s, once blobs are read`,
      prepare: ({source}) => {
        source.rule({
          on: readBlob,
          do: {
            effect: 'custom',
            run: () => {
              source.rule({
                on: {},
                times: always,
                window: {to: seconds * 1000},
                do: {effect: 'drop'}
              });
              return false;
            }
          }
        });
      },
      end: 'complete'
    }
  ]),
  {
    id: 'S6',
    name: '503 for good',
    source: [rule(readEngine, status(503), {times: always})],
    end: {refused: [engine.digest, 'status 503', 'attempts', 'arcdata/arc-controller']},
    also: (_, {waited}) => (waited >= 120_000 ? [] : [`it gave up after ${waited} ms`])
  },
  {
    id: 'S6',
    name: 'a 403 page of the front door passes',
    source: [
      rule(
        {kind: ['manifest', 'blob']},
        status(403, {body: {html: '<p>The request is blocked.'}}),
        {
          times: 6
        }
      )
    ],
    network: {quirks: name => ({...smallBounds(name), blocksAtTimes: true})},
    end: 'complete'
  },
  {
    id: 'S6',
    name: 'a 403 in JSON does not',
    source: [
      rule(readEngine, status(403, {body: {errors: [{code: 'DENIED', message: 'no entry'}]}}), {
        times: always
      })
    ],
    end: {refused: [engine.digest, 'status 403', 'DENIED no entry']},
    also: few(engine.digest, 2)
  },
  ...(
    [
      ['7', 7],
      ['120', 120],
      ['Tue, 12 May 2026 00:01:30 GMT', 90],
      ['Tue, 12 May 2020 00:00:00 GMT', 0],
      ['0', 0],
      ['880.092µs', 0],
      [undefined, 0]
    ] as const
  ).flatMap(([after, least]): Row[] => [
    {
      id: 'S7 spec-429',
      name: `429, Retry-After ${after ?? 'absent'}`,
      source: [
        rule(
          readBlob,
          status(429, {
            // The other side's date, from which that of Retry-After counts.
            ...(after !== undefined && {
              headers: {'Retry-After': after, Date: 'Tue, 12 May 2026 00:00:00 GMT'}
            }),
            body: 'HAP429: too many requests\n'
          }),
          {times: 3}
        )
      ],
      end: 'complete',
      also: (_, {waited}) => (waited >= least * 1000 ? [] : [`it waited ${waited} ms only`]),
      longest: 300_000
    }
  ]),
  ...['0', 'Tue, 12 May 2020 00:00:00 GMT'].map((after): Row => ({
    id: 'S7 spec-429',
    name: `503 for two minutes, Retry-After ${after}: that is no leave to ask without a pause`,
    source: [
      rule(readEngine, status(503, {headers: {'Retry-After': after}}), {
        times: always,
        window: {to: 120_000}
      })
    ],
    end: 'complete',
    also: few(engine.digest, 40)
  })),
  {
    id: 'S7',
    name: '429 and Retry-After 0 for good: no endless loop',
    source: [
      rule(
        {...readManifest, repository: 'arcdata/arc-dns'},
        status(429, {headers: {'Retry-After': '0'}}),
        {times: always}
      )
    ],
    end: {refused: ['arcdata/arc-dns', 'status 429']},
    longest: 700_000
  },
  {
    id: 'S7',
    name: '429 and a day to wait: it says so and ends',
    source: [rule(readManifest, status(429, {headers: {'Retry-After': '86400'}}), {times: always})],
    end: {refused: ['24 hours', 'status 429']},
    longest: 30_000
  },
  {
    id: 'S7',
    name: 'while the source asks for a pause, nobody asks it anything',
    source: [rule(readBlob, status(429, {headers: {'Retry-After': '50'}}))],
    end: 'complete',
    also: ({source}) => {
      const told = source.requests.find(({status: code}) => code === 429)?.at ?? 0;
      const early = source.requests.filter(({at}) => at > told + 500 && at < told + 49_000);
      return early.map(({method, path}) => `${method} ${path} came in the pause`);
    }
  },
  {
    id: 'S8',
    name: 'a signed address that expired while it was read',
    sourceOptions: {character: {redirectBlobs: true}},
    prepare: ({source}) => {
      source.blobHost?.rule(
        rule({method: 'GET'}, {effect: 'cut-download', after: 10_000}, {times: 3})
      );
      source.blobHost?.rule(rule({ranged: true}, status(403), {times: 3}));
    },
    end: 'complete',
    // Each time it is the registry that is asked for a new address.
    also: world => {
      const signed = world.source.blobHost?.requests.length ?? 0;
      const asked = world.source.requests.filter(
        ({kind, method}) => kind === 'blob' && method === 'GET'
      );
      return asked.length === signed
        ? []
        : [`${signed} signed addresses were used for ${asked.length} questions`];
    }
  },
  {
    id: 'S8',
    name: 'signed addresses that live for one request',
    prepare: world => {
      world.source.rule(
        rule(readBlob, {effect: 'sign', host: world.sink, uses: 1}, {times: always})
      );
      for (const name of smallNames) {
        const image = world.release.images.get(name);
        for (const {blobs} of [image, ...(image?.children ?? [])].flatMap(one => one ?? []))
          for (const {bytes} of blobs) world.sinkStore.putBlob(`arcdata/${name}`, bytes);
      }
      world.sink.rule(rule({}, {effect: 'cut-download', after: 15_000}, {times: 5}));
    },
    end: 'complete'
  },
  {
    id: 'S9',
    name: 'a redirect to itself',
    source: [rule(readEngine, {effect: 'redirect', to: '{self}'}, {times: always})],
    end: {refused: [/redirects more than 5 times/, engine.digest]}
  },
  {
    id: 'S9',
    name: 'five redirects, some of them relative',
    source: [rule(readEngine, {effect: 'redirect', to: `./${engine.digest}?x`}, {times: 5})],
    end: 'complete'
  },
  {
    id: 'S9',
    name: 'six redirects',
    source: [rule(readEngine, {effect: 'redirect', to: '{self}'}, {times: 12})],
    end: {refused: [/redirects more than 5 times/]}
  },
  ...[
    'http://[bad',
    'ftp://elsewhere.example/x',
    'http://user:pw@elsewhere.example/x',
    'file:///etc/passwd'
  ].map((to): Row => ({
    id: 'S9',
    name: `a redirect to ${to}`,
    source: [rule(readEngine, {effect: 'redirect', to}, {times: always})],
    end: {refused: [/redirects to/]},
    secrets: ['user:pw']
  })),
  {
    id: 'S10 V11',
    name: 'tags that move while blobs are read',
    prepare: ({source}) => {
      source.rule(
        rule(readBlob, {
          effect: 'custom',
          run: () => {
            putRelease(source.store, 'arcdata', previous);
            return false;
          }
        })
      );
    },
    end: 'complete',
    also: ({source, target}) => [
      ...smallNames
        .filter(
          name =>
            target.store.tag(`mirror/arcdata/${name}`, smallTag) !==
            release.images.get(name)?.digest
        )
        .map(name => `${name} is not what it was when it was read`),
      ...smallNames
        .filter(
          name =>
            source.requests.filter(({path}) => path === `/v2/arcdata/${name}/manifests/${smallTag}`)
              .length > 1
        )
        .map(name => `the tag of ${name} was read more than once`)
    ]
  },
  {
    id: 'S11',
    name: 'a child that the source does not have',
    prepare: ({source}) => {
      const child = release.images.get('arc-dns')?.children[1]?.digest ?? '';
      source.store.deleteManifest('arcdata/arc-dns', child);
    },
    end: {refused: [/names the child/, release.images.get('arc-dns')?.children[1]?.digest ?? '']}
  },
  {
    id: 'S11',
    name: 'a blob that the source does not have',
    prepare: ({source}) => {
      source.store.deleteBlob('arcdata/arc-controller', engine.digest);
    },
    end: {refused: [engine.digest, 'status 404']}
  },
  {
    id: 'S11',
    name: 'a blob that all images need and the source does not have is asked for once a pass',
    prepare: ({source}) => {
      for (const name of release.images.keys())
        source.store.deleteBlob(`arcdata/${name}`, base.digest);
    },
    end: {refused: [base.digest, 'status 404']},
    also: few(base.digest, 2)
  },
  {
    id: 'S11',
    name: 'an image that the source refuses to show',
    source: [
      rule(
        {...readManifest, repository: 'arcdata/arc-dns'},
        status(403, {body: {errors: [{code: 'DENIED', message: 'no entry'}]}}),
        {times: always}
      )
    ],
    end: {refused: ['arc-dns', 'refused to tell', 'answers 403: DENIED no entry', '127.0.0.1']},
    longest: 60_000
  },
  {
    id: 'S12 end-2',
    name: 'no Docker-Content-Digest anywhere',
    source: [rule({}, {effect: 'headers', set: {'Docker-Content-Digest': null}}, {times: always})],
    end: 'complete'
  },
  {
    id: 'S12',
    name: 'a wrong Docker-Content-Digest once',
    source: [rule(readManifest, {effect: 'headers', set: {'Docker-Content-Digest': base.digest}})],
    end: 'complete'
  },
  {
    id: 'S12',
    name: 'a wrong Docker-Content-Digest always',
    source: [
      rule(
        readManifest,
        {effect: 'headers', set: {'Docker-Content-Digest': base.digest}},
        {times: always}
      )
    ],
    end: {refused: [base.digest, /other bytes/]}
  },
  ...[
    'application/json',
    'text/plain; charset=utf-8',
    `${mediaTypes.dockerManifest}; charset=utf-8`
  ].map((type): Row => ({
    id: 'S12',
    name: `manifests served as ${type}`,
    source: [
      rule(
        {...readManifest, repository: 'arcdata/arc-controller'},
        {effect: 'headers', set: {'Content-Type': type}},
        {times: always}
      )
    ],
    end: 'complete'
  })),
  {
    id: 'S12 end-3',
    name: 'an image served as an index',
    source: [
      rule(
        {...readManifest, repository: 'arcdata/arc-controller'},
        {effect: 'headers', set: {'Content-Type': mediaTypes.ociIndex}},
        {times: always}
      )
    ],
    end: {refused: [/was served as/]}
  },
  ...[405, 404].map((code): Row => ({
    id: 'S13',
    // No manifest of the source is asked for by HEAD: it is read anyway.
    name: `HEAD of manifests is answered with ${code} by the target`,
    target: [rule({kind: 'manifest', method: 'HEAD'}, status(code), {times: always})],
    end: 'complete'
  })),
  ...(
    [
      ['Negotiate, Basic realm="a, b"', 'basic'],
      ['Negotiate YWJj==, BASIC realm="x"', 'basic'],
      ['Basic realm="x", Bearer realm="{url}/token",service="a, \\"b\\"",scope="x:y:z"', 'bearer'],
      ['bearer   Realm = "{url}/token" , service=x', 'bearer'],
      ['Digest realm="x", nonce="y=,z", BeArEr realm="{url}/token"', 'bearer']
    ] as const
  ).map(([challenge, kind]): Row => ({
    id: 'S14',
    name: `the challenge ${challenge}`,
    sourceOptions: {auth: {...account, kind}},
    inputs: sourceLogin,
    prepare: ({source}) => {
      source.rule(
        rule(
          {authorized: false, kind: ['ping', 'tags', 'manifest', 'blob']},
          status(401, {headers: {'WWW-Authenticate': challenge.replace('{url}', source.url)}}),
          {times: always}
        )
      );
    },
    secrets: [account.password],
    end: 'complete'
  })),
  ...['Bearer service="x"', 'Negotiate', 'NTLM abc=', ''].map((challenge): Row => ({
    id: 'S14',
    name: `the challenge ${challenge === '' ? 'left out' : challenge}`,
    source: [
      rule({}, status(401, {headers: {'WWW-Authenticate': challenge === '' ? null : challenge}}), {
        times: always
      })
    ],
    inputs: sourceLogin,
    secrets: [account.password],
    end: {refused: [/401/, /does not say how to sign in|not spoken here/]},
    longest: 10_000
  })),
  {
    id: 'S14',
    name: 'tokens are revoked, and 401 is all that is said, with many questions under way',
    sourceOptions: {auth: account},
    inputs: sourceLogin,
    secrets: [account.password],
    source: [
      rule(readBlob, {effect: 'revoke-tokens'}, {skip: 1}),
      bare401,
      // So that all of them are refused before one of them has a new one.
      rule({kind: 'token'}, {effect: 'delay', ms: 50}, {times: always})
    ],
    end: 'complete'
  },
  ...(
    [
      ['500 once', rule({kind: 'token'}, status(500))],
      [
        '503 for a minute',
        rule({kind: 'token'}, status(503), {times: always, window: {to: 60_000}})
      ],
      ['429', rule({kind: 'token'}, status(429, {headers: {'Retry-After': '5'}}), {times: 2})],
      ['a reset', rule({kind: 'token'}, {effect: 'drop'}, {times: 2})],
      ['HTML', rule({kind: 'token'}, status(200, {body: {html: '<p>login'}}), {times: 2})],
      [
        'no token',
        rule({kind: 'token'}, {effect: 'token', fields: {token: null, access_token: null}})
      ],
      ['null', rule({kind: 'token'}, status(200, {body: {json: null}}), {times: 2})],
      [
        'access_token beside an empty token',
        rule({kind: 'token'}, {effect: 'token', fields: {token: ''}}, {times: always})
      ],
      [
        'access_token only',
        rule({kind: 'token'}, {effect: 'token', fields: {token: null}}, {times: always})
      ],
      [
        'expires_in 0',
        rule({kind: 'token'}, {effect: 'token', fields: {expires_in: 0}}, {times: always})
      ],
      [
        'expires_in huge',
        rule({kind: 'token'}, {effect: 'token', fields: {expires_in: 1e300}}, {times: always})
      ],
      [
        'expires_in of no sense',
        rule({kind: 'token'}, {effect: 'token', fields: {expires_in: '-1'}}, {times: always})
      ]
    ] as const
  ).map(([name, fault]): Row => ({
    id: 'S15',
    name: `the token server: ${name}`,
    sourceOptions: {auth: account},
    inputs: sourceLogin,
    source: [fault],
    secrets: [account.password],
    end: 'complete',
    also: ({source}) => {
      // One for each repository; more only where the server failed.
      const limit = /^expires|^access/.test(name) ? 3 : 30;
      const asked = source.requests.filter(({kind}) => kind === 'token').length;
      return asked <= limit ? [] : [`${asked} tokens were asked for`];
    }
  })),
  {
    id: 'S15',
    name: 'the token server asks for a pause, and gets it',
    sourceOptions: {auth: account},
    inputs: sourceLogin,
    source: [rule({kind: 'token'}, status(429, {headers: {'Retry-After': '90'}}))],
    secrets: [account.password],
    end: 'complete',
    also: (_, {slept}) => (slept >= 90_000 ? [] : [`it waited ${slept} ms only`])
  },
  {
    id: 'S15',
    name: 'the token server refuses the account with 403, which is told as that',
    sourceOptions: {auth: account},
    inputs: sourceLogin,
    source: [rule({kind: 'token'}, status(403), {times: always})],
    secrets: [account.password],
    end: {refused: ['refuses the user name or password (403)', 'source-username']},
    longest: 10_000
  },
  {
    id: 'S15',
    name: 'the token server never gives a token',
    sourceOptions: {auth: account},
    inputs: sourceLogin,
    source: [
      rule(
        {kind: 'token'},
        {effect: 'token', fields: {token: null, access_token: null}},
        {times: always}
      )
    ],
    secrets: [account.password],
    end: {refused: [/sends no token/]}
  },
  {
    id: 'S16',
    name: 'anonymous reading without credentials',
    sourceOptions: {auth: {...account, anonymousPull: true}},
    end: 'complete'
  },
  ...(['basic', 'bearer'] as const).map((kind): Row => ({
    id: 'S16',
    name: `wrong credentials (${kind}) are not tried again, nor anonymous in their place`,
    sourceOptions: {auth: {...account, kind, anonymousPull: true}},
    prepare: ({source}) => {
      // Registries that want a sign-in say so at /v2/.
      source.rule(
        rule({kind: 'ping', authorized: false}, status(401, {challenge: true}), {times: always})
      );
    },
    inputs: {...sourceLogin, 'source-password': 'wr0ng-s3cret'},
    secrets: ['wr0ng-s3cret'],
    end: {refused: [/401/, '-username and ']},
    also: ({source, target}) => [
      ...(source.requests.filter(({authorization}) => authorization === 'basic').length <= 2
        ? []
        : ['the password was sent more than twice']),
      ...(source.requests.some(({kind: one}) => one === 'manifest')
        ? ['the source was read although the sign-in failed']
        : []),
      ...(target.store.repositories().length > 0 &&
      target.requests.some(({method}) => method === 'PUT')
        ? ['the target was written to']
        : [])
    ],
    longest: 10_000
  })),
  ...[false, true].map((sized): Row => ({
    id: 'S17',
    name: `everything comes packed, though nobody asked for that, ${sized ? 'with' : 'without'} a length`,
    source: [rule({kind: ['manifest', 'blob']}, {effect: 'gzip', sized}, {times: always})],
    end: 'complete'
  })),
  {
    id: 'S17',
    name: 'packed blobs that break in between',
    source: [
      rule(readBlob, {effect: 'gzip'}, {times: always}),
      rule(readEngine, {effect: 'cut-download', after: 1_000_000}, {times: 2})
    ],
    end: 'complete'
  },
  {
    id: 'S17',
    name: 'Content-Encoding says gzip, the bytes are plain',
    source: [
      rule(
        {kind: ['manifest', 'blob'], method: 'GET'},
        {effect: 'headers', set: {'Content-Encoding': 'gzip'}},
        {times: always}
      )
    ],
    end: 'complete'
  },
  ...['GZIP', 'x-gzip', 'utf-8', 'Identity', 'br'].map((encoding): Row => ({
    id: 'S17',
    name: `a label over plain bytes, which have the right digest: ${encoding}`,
    source: [
      rule(
        {kind: ['manifest', 'blob'], method: 'GET'},
        {effect: 'headers', set: {'Content-Encoding': encoding}},
        {times: always}
      )
    ],
    end: 'complete'
  })),
  ...['gzip', 'X-GZip'].map((encoding): Row => ({
    id: 'S17',
    name: `blobs without a length that are labelled with what they are: ${encoding}`,
    source: [
      rule(
        readBlob,
        {effect: 'headers', set: {'Content-Encoding': encoding, 'Content-Length': null}},
        {times: always}
      ),
      rule(readEngine, {effect: 'cut-download', after: 1_000_000}, {skip: 1})
    ],
    end: 'complete',
    // It is asked for whole, and by Range where it broke.
    also: few(engine.digest, 4)
  })),
  {
    id: 'S17',
    name: 'a Content-Encoding that nobody can read',
    source: [
      rule(
        {kind: ['manifest'], method: 'GET'},
        {effect: 'headers', set: {'Content-Encoding': 'br', 'Docker-Content-Digest': null}},
        {times: always}
      )
    ],
    end: {refused: [/Content-Encoding br/]}
  },
  ...[false, true].map((sized): Row => ({
    id: 'S17',
    name: `lists and tokens come packed, ${sized ? 'with' : 'without'} a length`,
    sourceOptions: {auth: account},
    inputs: {...sourceLogin, 'source-tag': 'latest'},
    source: [rule({kind: ['tags', 'token']}, {effect: 'gzip', sized}, {times: always})],
    secrets: [account.password],
    end: 'complete'
  })),
  {
    id: 'S17',
    name: 'a list that is packed in a way that nobody asked for',
    inputs: {'source-tag': 'latest'},
    source: [
      rule({kind: 'tags'}, {effect: 'headers', set: {'Content-Encoding': 'zstd'}}, {times: always})
    ],
    end: {refused: [/came with Content-Encoding zstd, which nobody asked for/]}
  },
  {
    id: 'S17',
    name: 'a packed error tells what it says',
    source: [
      rule(readManifest, status(400, {body: {errors: [{code: 'ODD', message: 'so it is'}]}}), {
        times: always
      }),
      rule(readManifest, {effect: 'gzip'}, {times: always})
    ],
    end: {refused: ['answers 400: ODD so it is']}
  }
];

describe('faults at the source, the target without the release', () => {
  test.each(rows.map(row => [row.id, row.name, row] as const))('%s %s', async (_id, _name, row) => {
    expect(await play(row, 'nothing')).toEqual([]);
  });
});

describe('faults at the source, another image under the tag at the target', () => {
  const refused = rows.filter(({id, end}) => end !== 'complete' || id.startsWith('S10 '));
  test.each(refused.map(row => [row.id, row.name, row] as const))('%s %s', async (_i, _n, row) => {
    expect(await play(row, 'previous')).toEqual([]);
  });
});
