import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';

import type {RuleMatch} from '../../src/demo/rules.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {type Certificates, makeCertificates} from '../support/certificates.ts';
import {play, previous, release, type Row, type World} from '../support/fault-world.ts';
import {
  account,
  always,
  nothingAtSink,
  rule as one,
  signedIn,
  sourceLogin
} from '../support/rows.ts';
import {imageOf, indexOf, putImage, smallTag} from '../support/small-release.ts';

const {engine, base, late} = release;
const auth = account;
const {password} = account;
const targetLogin = signedIn.inputs;
/** What a registry does to attack, it does always. */
const rule: typeof one = (on, effect, more) => one(on, effect, {times: always, ...more});
const readBlob: RuleMatch = {kind: 'blob', method: 'GET'};

/** The same server under another name. */
const byName = ({name}: World['sink']): string => `localhost:${name.split(':')[1] ?? ''}`;

const sinkChallenges = ({sink}: World): void => {
  sink.rule(
    rule(
      {},
      {
        effect: 'answer',
        status: 401,
        headers: {'WWW-Authenticate': `Basic realm="x", Bearer realm="${sink.url}/token"`}
      }
    )
  );
};

/** A realm that is written when the hosts are known. */
const realmRow = (name: string, realm: (world: World) => string, more: Partial<Row> = {}): Row => ({
  id: 'V2',
  name: `the realm ${name}`,
  inputs: sourceLogin,
  secrets: [password],
  prepare: world => {
    world.source.rule(
      rule(
        {authorized: false},
        {
          effect: 'answer',
          status: 401,
          headers: {'WWW-Authenticate': `Bearer realm="${realm(world)}",service="x"`}
        }
      )
    );
  },
  end: {refused: [/asks for a token from|no business/]},
  also: world => [
    ...nothingAtSink(world),
    ...(world.source.requests.some(
      ({kind, authorization}) => kind === 'token' || authorization !== 'none'
    )
      ? ['a token was asked for']
      : [])
  ],
  longest: 5000,
  ...more
});

/** Names of a test's own: what they resolve to is what the row says. */
const resolver =
  (names: Readonly<Record<string, readonly string[]>>) =>
  (host: string): Promise<{address: string; family: number}[]> => {
    const found = names[host];
    if (found !== undefined)
      return Promise.resolve(
        found.map(address => ({address, family: address.includes(':') ? 6 : 4}))
      );
    return Promise.reject(Object.assign(new Error(`no ${host}`), {code: 'ENOTFOUND'}));
  };

const portAt = ({name}: World['source']) => name.split(':')[1] ?? '';

/** A registry whose token server is at another host of its owner, over plain http. */
const ofOneOwner = {
  id: 'V2',
  sourceOptions: {auth},
  inputs: sourceLogin,
  secrets: [password],
  network: {
    resolve: resolver({'registry.corp.test': ['127.0.0.1'], 'auth.corp.test': ['127.0.0.1']})
  },
  prepare: ({source}: World) => {
    const realm = `http://auth.corp.test:${portAt(source)}/token`;
    source.rule(
      rule(
        {authorized: false, kind: ['ping', 'tags', 'manifest', 'blob']},
        {
          effect: 'answer',
          status: 401,
          headers: {'WWW-Authenticate': `Bearer realm="${realm}",service="x"`}
        }
      )
    );
  }
};

const rows: readonly Row[] = [
  {
    id: 'V1',
    name: 'a layer at a foreign URL is not fetched from there, nor anyone asked for a token for it',
    sourceOptions: {auth},
    inputs: sourceLogin,
    secrets: [password],
    prepare: world => {
      sinkChallenges(world);
      const far = {...late, urls: [`${world.sink.url}/layer`, 'http://169.254.169.254/x']};
      putImage(world.source.store, 'arcdata/arc-dns', imageOf('far', 'oci', [base, far]), smallTag);
    },
    idle: true,
    end: 'complete',
    also: nothingAtSink
  },
  {
    id: 'V12',
    name: 'a layer that may not be spread keeps its descriptor, within an index too',
    prepare: ({source, sink}) => {
      const far = {...late, urls: [`${sink.url}/layer`]};
      const index = indexOf(mediaTypes.ociIndex, [imageOf('far', 'oci', [base, far])]);
      putImage(source.store, 'arcdata/arc-dns', index, smallTag);
    },
    end: 'complete',
    also: world => {
      const place = 'mirror/arcdata/arc-dns';
      const [child] = world.target.store
        .manifests(place)
        .filter(({body}) => body.includes(late.digest) && body.includes('"urls"'));
      return [
        ...nothingAtSink(world),
        ...(child === undefined ? ['its manifest did not come as it was'] : []),
        ...(world.target.store.blob(place, late.digest) ? ['it was copied'] : [])
      ];
    }
  },
  {
    id: 'V12',
    name: 'a config is copied, wherever else it may be had',
    prepare: ({source, sink}) => {
      const {body, blobs, ...image} = imageOf('far', 'oci', [base]);
      const manifest = JSON.parse(body.toString()) as {config: object};
      Object.assign(manifest.config, {urls: [`${sink.url}/config`]});
      for (const {bytes} of blobs) source.store.putBlob('arcdata/arc-dns', bytes);
      source.store.putManifest(
        'arcdata/arc-dns',
        {...image, body: JSON.stringify(manifest)},
        smallTag
      );
    },
    end: 'complete',
    also: world => {
      const config = imageOf('far', 'oci', [base]).blobs[0]?.digest ?? base.digest;
      return [
        ...nothingAtSink(world),
        ...(world.target.store.blob('mirror/arcdata/arc-dns', config) ? [] : ['it was left out'])
      ];
    }
  },
  realmRow('ftp', () => 'ftp://127.0.0.1/token'),
  realmRow('null', () => 'null://host/v2/token'),
  realmRow('with a user', ({source}) => `http://user@${source.name}/token`),
  realmRow('of a metadata service', () => 'http://169.254.169.254/latest/meta-data'),
  realmRow('of a metadata service within IPv6', () => 'http://[::ffff:169.254.169.254]/x'),
  realmRow('of the unspecified address', () => 'http://0.0.0.0/x'),
  realmRow('in decimal spelling', () => 'http://2852039166/x'),
  realmRow(
    'of another owner',
    ({sink}) => `http://evil.example:${sink.name.split(':')[1] ?? ''}/x`,
    {
      network: {resolve: resolver({'evil.example': ['127.0.0.1']})}
    }
  ),
  realmRow('that is not a URL', () => '///'),
  realmRow('near a registry that is far away', ({sink}) => `${sink.url}/x`, {
    inputs: {},
    names: ({source}) => ({source: `far.test:${source.name.split(':')[1] ?? ''}`}),
    // The second one makes it public; the first one is where it answers here.
    network: {resolve: resolver({'far.test': ['127.0.0.1', '93.184.216.34']})}
  }),
  {
    ...ofOneOwner,
    name: 'a token server of the same owner gets the password',
    names: ({source}) => ({
      source: `registry.corp.test:${portAt(source)}`,
      plain: `auth.corp.test:${portAt(source)}`
    }),
    end: 'complete',
    also: ({source}) =>
      source.requests.some(
        ({kind, headers}) => kind === 'token' && headers.host?.startsWith('auth.corp.test') === true
      )
        ? []
        : ['it was not asked']
  },
  {
    ...ofOneOwner,
    name: 'a token server of the same owner gets nothing over plain http that nobody allowed',
    names: ({source}) => ({source: `registry.corp.test:${portAt(source)}`}),
    end: {refused: [/over plain http only hosts in insecure-registries are asked/]},
    also: ({source}) => (source.requests.some(({kind}) => kind === 'token') ? ['it was asked'] : [])
  },
  {
    id: 'V2',
    name: 'a token server that redirects is not followed',
    sourceOptions: {auth},
    inputs: sourceLogin,
    secrets: [password],
    prepare: ({source, sink}) => {
      source.rule(rule({kind: 'token'}, {effect: 'redirect', to: `${sink.url}/token`}));
    },
    end: {refused: [/redirect \(307\), which is not followed/]},
    also: nothingAtSink,
    longest: 5000
  },
  realmRow('whose name stands for a metadata service', () => 'http://meta.test/x', {
    inputs: {},
    network: {resolve: resolver({'meta.test': ['169.254.169.254']})}
  }),
  {
    id: 'V3',
    name: 'a redirect to a name that stands for a metadata service',
    source: [rule(readBlob, {effect: 'redirect', to: 'http://meta.test/x'})],
    network: {resolve: resolver({'meta.test': ['169.254.169.254']})},
    end: {refused: [/no business to send anyone to/]}
  },
  {
    id: 'V3',
    name: 'a redirect to a name with a good and a bad address',
    source: [rule(readBlob, {effect: 'redirect', to: 'http://meta.test/x'})],
    network: {resolve: resolver({'meta.test': ['127.0.0.1', 'fd00:ec2::254']})},
    end: {refused: [/no business to send anyone to/]}
  },
  ...[
    'http://169.254.169.254/x',
    'http://[fe80::1]/x',
    'http://0x7f.1.1.1.1/',
    'http://[::]/x',
    'http://0/x'
  ].map((to): Row => ({
    id: 'V3',
    name: `a redirect to ${to}`,
    source: [rule(readBlob, {effect: 'redirect', to})],
    end: {refused: [/no business to send anyone to|redirects to nowhere/]}
  })),
  ...(['missing', 'garbage', 'other-port', 'other-host'] as const).map((mode): Row => ({
    id: 'V4',
    name: `uploads of a private image go on at: ${mode}`,
    targetOptions: {auth},
    inputs: targetLogin,
    secrets: [password],
    prepare: ({target, sink}) => {
      target.rule(
        rule(
          {kind: ['upload', 'mount'], method: ['POST', 'PATCH']},
          {
            effect: 'location',
            mode: mode === 'other-port' ? 'other-host' : mode,
            host: mode === 'other-port' ? sink.name : byName(sink)
          }
        )
      );
    },
    end: {
      refused: {
        missing: /did not say where it goes on/,
        garbage: /did not say where it goes on/,
        'other-port': /another port/,
        'other-host': /another host/
      }[mode]
    },
    also: nothingAtSink
  })),
  ...(['before', 'after'] as const).flatMap((when): Row[] => [
    ...(['port', 'host'] as const).map((other): Row => ({
      id: 'V5',
      name: `a redirect to another ${other} ${when} the sign-in: no Authorization, no answer to its 401`,
      sourceOptions: {auth},
      inputs: sourceLogin,
      secrets: [password],
      prepare: world => {
        sinkChallenges(world);
        world.source.rule(
          rule(
            {kind: ['blob', 'manifest', 'ping'], authorized: when === 'after'},
            {
              effect: 'redirect',
              to: `${other === 'port' ? world.sink.url : `http://${byName(world.sink)}`}{self}`
            }
          )
        );
      },
      end: {refused: [/where 127\.0\.0\.1:\d+ redirects to|401/]},
      also: ({sink}) => (sink.requests.length > 0 ? [] : ['the sink was never asked'])
    })),
    {
      id: 'V5',
      name: `a redirect within the registry ${when} the sign-in keeps the Authorization`,
      sourceOptions: {auth},
      inputs: sourceLogin,
      secrets: [password],
      prepare: ({source}) => {
        source.rule({
          on: {kind: ['ping', 'tags', 'manifest'], authorized: when === 'after'},
          times: 2,
          do: {effect: 'redirect', to: '{self}'}
        });
      },
      end: 'complete'
    }
  ]),
  {
    id: 'V6',
    name: 'a list of tags that goes on at another host',
    prepare: ({source, sink}) => {
      const port = sink.name.split(':')[1] ?? '';
      source.rule(
        rule(
          {kind: 'tags'},
          {effect: 'link', mode: 'literal', to: `http://localhost:${port}/v2/tags/list`}
        )
      );
    },
    end: {refused: [/goes on at another host/]},
    also: nothingAtSink
  },
  {
    id: 'V6',
    name: 'a list of tags whose next page is at another port: asked for at the registry itself',
    prepare: ({source, sink}) => {
      source.rule({
        on: {kind: 'tags'},
        do: {
          effect: 'link',
          mode: 'literal',
          to: `${sink.url}/v2/arcdata/arc-controller/tags/list?last=v`
        }
      });
    },
    end: 'complete',
    also: nothingAtSink
  },
  {
    id: 'V6',
    name: 'a list of tags that leads to itself',
    source: [rule({kind: 'tags'}, {effect: 'link', mode: 'self'})],
    end: {refused: [/has no end/]},
    also: ({source}) => (source.requests.length < 10 ? [] : ['it went round'])
  },
  {
    id: 'V6',
    name: 'a list of tags without end',
    source: [rule({kind: 'tags'}, {effect: 'link', mode: 'endless'})],
    end: {refused: [/has no end/]},
    also: ({source}) => (source.requests.length < 1100 ? [] : [`${source.requests.length} pages`])
  },
  ...[
    'sha256:../../../../etc/passwd',
    `sha256:${'a'.repeat(63)}`,
    `sha256:${'a'.repeat(65)}`,
    `sha256:${'A'.repeat(64)}`,
    'sha256:',
    `md5:${'a'.repeat(32)}`,
    'sha256:%2e%2e%2f',
    `sha256:${'a'.repeat(64)}\n`,
    `sha512:${'a'.repeat(64)}`,
    'a'.repeat(64)
  ].flatMap((digest): Row[] => {
    const shown = JSON.stringify(digest);
    const bad = {mediaType: mediaTypes.ociManifest, digest, size: 5};
    const also = ({source, target}: World) =>
      [...source.requests, ...target.requests]
        .filter(
          ({path}) =>
            // Every good path has the prefix that stands alone in one of them.
            path.endsWith(digest) ||
            (digest !== 'sha256:' && path.includes(digest)) ||
            path.includes('etc/passwd')
        )
        .map(({method, path}) => `${method} ${path} was asked`);
    const bodies = {
      layer: {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: {...bad, digest: late.digest},
        layers: [bad]
      },
      config: {schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: bad, layers: []},
      child: {schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [bad]}
    };
    return Object.entries(bodies).map(([what, body]) => ({
      id: 'V7',
      name: `the digest ${shown} of a ${what}`,
      prepare: ({source}) => {
        source.store.putManifest(
          'arcdata/arc-dns',
          {mediaType: body.mediaType, body: JSON.stringify(body)},
          smallTag
        );
      },
      end: {refused: [/is not a digest/, 'arcdata/arc-dns']},
      also
    }));
  }),
  ...(
    [
      ['layers and children', {layers: [], manifests: [], config: {}}, mediaTypes.ociIndex],
      [
        'layers and children, as an image',
        {layers: [], manifests: [], config: {}},
        mediaTypes.ociManifest
      ],
      [
        'another type in the header',
        {mediaType: mediaTypes.ociIndex, manifests: []},
        mediaTypes.ociManifest
      ],
      [
        'schema 1',
        {schemaVersion: 1, fsLayers: []},
        'application/vnd.docker.distribution.manifest.v1+json'
      ],
      ['an unknown type', {mediaType: 'application/x'}, 'application/x'],
      ['no type at all', {layers: [], config: {}}, 'application/octet-stream'],
      ['no object', [], mediaTypes.ociManifest],
      ...[-1, 1.5, 2 ** 53, 1e18, 2 ** 62, '12', null, {toString: 1, valueOf: 1}].map(
        size =>
          [
            `a size of ${JSON.stringify(size)}`,
            {
              layers: [{mediaType: 'x', digest: late.digest, size}],
              config: {mediaType: 'x', digest: late.digest, size: 1}
            },
            mediaTypes.ociManifest
          ] as const
      ),
      ...(['mediaType', 'config'] as const).map(
        what =>
          [
            `a ${what} as deep as no stack`,
            `{"schemaVersion":2,"layers":[],"${what}":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
            mediaTypes.ociManifest
          ] as const
      ),
      ...(
        [
          `{"mediaType":"x","digest":{"toString":1,"valueOf":1},"size":1}`,
          `{"mediaType":"x","digest":"x","size":${'['.repeat(50_000)}${']'.repeat(50_000)}}`
        ] as const
      ).map(
        descriptor =>
          [
            `the descriptor ${descriptor.slice(0, 60)}`,
            `{"schemaVersion":2,"layers":[],"config":${descriptor}}`,
            mediaTypes.ociManifest
          ] as const
      ),
      ...(['Layers', 'layerſ', 'CONFIG', 'Manifests'] as const).map(
        twin =>
          [
            `the key ${twin} beside its own`,
            {layers: [], config: {mediaType: 'x', digest: late.digest, size: 1}, [twin]: []},
            mediaTypes.ociManifest
          ] as const
      ),
      [
        'two digests of its config, one in capitals',
        {
          layers: [],
          config: {mediaType: 'x', digest: late.digest, size: 1, Digest: engine.digest}
        },
        mediaTypes.ociManifest
      ],
      [
        'ten thousand children',
        {
          manifests: Array.from({length: 10_000}, () => ({
            mediaType: mediaTypes.ociManifest,
            digest: late.digest,
            size: 1
          }))
        },
        mediaTypes.ociIndex
      ]
    ] as const
  ).map(([name, more, mediaType]): Row => ({
    id: 'V8',
    name: `a manifest with ${name}`,
    prepare: ({source}) => {
      const body =
        typeof more === 'string'
          ? more
          : JSON.stringify(more instanceof Array ? more : Object.assign({schemaVersion: 2}, more));
      source.store.putManifest('arcdata/arc-dns', {mediaType, body}, smallTag);
    },
    end: {refused: ['arcdata/arc-dns']},
    // Before a single byte of any image has moved.
    also: ({source, target}) => [
      ...source.requests.filter(({kind}) => kind === 'blob').map(() => 'a blob was read'),
      ...target.requests
        .filter(({method}) => !['GET', 'HEAD'].includes(method))
        .map(({method}) => `${method} at the target`)
    ]
  })),
  ...(
    [
      ['size', {size: 7}, /is not what its index says|7 bytes/],
      ['media type', {mediaType: mediaTypes.dockerManifest}, /is not what its index says/]
    ] as const
  ).map(([what, change, said]): Row => ({
    id: 'V8',
    name: `an index that tells another ${what} of its child`,
    prepare: ({source}) => {
      const child = imageOf('child', 'oci', [late]);
      const {body} = indexOf(mediaTypes.ociIndex, [child]);
      const index = JSON.parse(body.toString()) as {manifests: object[]};
      Object.assign(index.manifests[0] ?? {}, change);
      putImage(source.store, 'arcdata/arc-dns', child);
      source.store.putManifest(
        'arcdata/arc-dns',
        {mediaType: mediaTypes.ociIndex, body: JSON.stringify(index)},
        smallTag
      );
    },
    end: {refused: [said, 'arcdata/arc-dns']}
  })),
  {
    id: 'V8',
    name: 'an index that tells another size of its child the second time',
    prepare: ({source}) => {
      const child = imageOf('child', 'oci', [late]);
      const {body} = indexOf(mediaTypes.ociIndex, [child, child]);
      const index = JSON.parse(body.toString()) as {manifests: {size: number}[]};
      if (index.manifests[1] !== undefined) index.manifests[1].size++;
      putImage(source.store, 'arcdata/arc-dns', child);
      source.store.putManifest(
        'arcdata/arc-dns',
        {mediaType: mediaTypes.ociIndex, body: JSON.stringify(index)},
        smallTag
      );
    },
    end: {refused: [/is not what its index says/, 'arcdata/arc-dns']}
  },
  {
    id: 'V8',
    name: 'a blob of two sizes',
    prepare: ({source}) => {
      const {body} = imageOf('two', 'oci', [late, late]);
      const image = JSON.parse(body.toString()) as {layers: {size: number}[]};
      if (image.layers[1] !== undefined) image.layers[1].size++;
      source.store.putManifest(
        'arcdata/arc-dns',
        {mediaType: mediaTypes.ociManifest, body: JSON.stringify(image)},
        smallTag
      );
    },
    end: {refused: [`${late.digest} has two sizes`, 'arcdata/arc-dns']}
  },
  {
    id: 'V10',
    name: 'an error whose detail is as deep as no stack is told as any other',
    source: [
      rule(
        {kind: 'manifest', repository: 'arcdata/arc-dns'},
        {
          effect: 'answer',
          status: 400,
          body: `{"errors":[{"code":"TOO_DEEP","detail":${'['.repeat(30_000)}${']'.repeat(30_000)}}]}`
        }
      )
    ],
    end: {refused: [/answers 400: TOO_DEEP/, 'arcdata/arc-dns']}
  },
  {
    id: 'V8',
    name: 'more manifests than any image has, a few hundred in each index',
    prepare: ({source}) => {
      const indexes = Array.from({length: 3}, (_, i) =>
        indexOf(
          mediaTypes.ociIndex,
          Array.from({length: 700}, (_, j) => imageOf(`number ${j} of ${i}`, 'oci', []))
        )
      );
      putImage(source.store, 'arcdata/arc-dns', indexOf(mediaTypes.ociIndex, indexes), smallTag);
    },
    end: {refused: [/has more than 2000 manifests/, 'arcdata/arc-dns']}
  },
  {
    id: 'V8',
    name: 'indexes a thousand deep',
    prepare: ({source}) => {
      let image = indexOf(mediaTypes.ociIndex, [imageOf('deep', 'oci', [late])]);
      for (let i = 0; i < 1000; i++) image = indexOf(mediaTypes.ociIndex, [image]);
      let node: typeof image | undefined = image;
      source.store.putManifest('arcdata/arc-dns', image, smallTag);
      while ((node = node.children[0]) !== undefined)
        source.store.putManifest('arcdata/arc-dns', node);
    },
    end: {refused: [/more than 4 deep/]},
    also: ({source}) => (source.requests.length < 50 ? [] : [`${source.requests.length} requests`])
  },
  {
    id: 'V9',
    name: 'another manifest comes for the digest of a child',
    source: [
      rule(
        {kind: 'manifest', digest: release.images.get('arc-dns')?.children[0]?.digest ?? ''},
        {effect: 'substitute', body: previous.images.get('arc-dns')?.children[0]?.body ?? ''}
      )
    ],
    end: {refused: [/other bytes/, release.images.get('arc-dns')?.children[0]?.digest ?? '']}
  },
  {
    id: 'V9',
    name: 'another blob of the same length comes',
    source: [
      rule(
        {...readBlob, digest: engine.digest},
        {effect: 'substitute', body: previous.engine.bytes}
      )
    ],
    end: {refused: [/other bytes/, engine.digest, previous.engine.digest]}
  },
  ...(
    [
      ['shorter', -1],
      ['longer', 1]
    ] as const
  ).map(([what, more]): Row => ({
    id: 'V9',
    name: `a ${what} blob`,
    source: [
      rule(
        {...readBlob, digest: engine.digest},
        {effect: 'substitute', body: Buffer.alloc(engine.bytes.length + more)}
      )
    ],
    end: {refused: [engine.digest, /bytes by its manifest/]}
  })),
  ...['a\r\nX-Evil: 1', 'a\u0000b', 'päss', 'a b', '"quoted\ttab'].map((token): Row => ({
    id: 'V17',
    name: `the token ${JSON.stringify(token)}`,
    sourceOptions: {auth},
    inputs: sourceLogin,
    secrets: [password, token],
    source: [rule({kind: 'token'}, {effect: 'token', fields: {token}})],
    end: {refused: [/characters that no header may have/]},
    longest: 5000
  })),
  {
    id: 'V17',
    name: 'a token that is longer than any header may be',
    sourceOptions: {auth},
    inputs: sourceLogin,
    secrets: [password],
    source: [rule({kind: 'token'}, {effect: 'token', fields: {token: 'Ab0+/'.repeat(20_000)}})],
    end: {refused: [/sends a token of 100000 characters/]},
    longest: 5000
  },
  {
    id: 'V10',
    name: 'a manifest of 300 MB is left where the limit is',
    source: [
      rule(
        {kind: 'manifest', repository: 'arcdata/arc-dns'},
        {effect: 'substitute', body: {repeat: ' ', size: 300_000_000}}
      )
    ],
    end: {refused: [/larger than 4194304 bytes/, 'arcdata/arc-dns']},
    also: ({source}) => {
      const sent = source.requests.reduce((sum, {bytesOut}) => sum + bytesOut, 0);
      return sent < 100_000_000 ? [] : [`${sent} bytes were taken in`];
    }
  }
];

describe('attacks by a registry', () => {
  test.each(rows.map(row => [row.id, row.name, row] as const))('%s %s', async (_id, _name, row) => {
    expect(await play(row, 'previous')).toEqual([]);
  });
});

describe('registries over TLS', () => {
  let certificates: Certificates;
  let inputs: Row['inputs'];

  beforeAll(async () => {
    certificates = await makeCertificates();
    inputs = {
      ...sourceLogin,
      ...targetLogin,
      'ca-file': certificates.caFile,
      'insecure-registries': ''
    };
  });

  afterAll(async () => {
    await certificates[Symbol.asyncDispose]();
  });

  const secure = (row: Partial<Row>): Row => ({
    id: 'V4',
    name: '',
    secrets: [password],
    sourceOptions: {auth, tls: certificates},
    targetOptions: {auth, tls: certificates},
    ...(inputs && {inputs}),
    end: 'complete',
    ...row
  });

  test('V4 T-L at-tls-proxy behind a proxy that ends TLS: Location and realm by http, the same host', async () => {
    const row = secure({
      prepare: ({source, target}) => {
        for (const one of [source, target]) {
          one.rule(
            rule(
              {authorized: false, kind: ['ping', 'manifest', 'tags', 'blob', 'upload', 'mount']},
              {
                effect: 'answer',
                status: 401,
                headers: {'WWW-Authenticate': `Bearer realm="http://${one.name}/token",service="x"`}
              }
            )
          );
        }
        target.rule(rule({kind: ['upload', 'mount']}, {effect: 'location', mode: 'http'}));
      }
    });
    // Only the path of it is taken: nothing is ever sent in clear.
    expect(await play(row)).toEqual([]);
  });

  test.each(['reset', 'end'] as const)('downloads and uploads that break by %s', async how => {
    const row = secure({
      source: [
        {
          on: {kind: 'blob', digest: engine.digest},
          times: 2,
          do: {effect: 'cut-download', after: 1_000_000, how}
        }
      ],
      target: [
        {on: {kind: 'upload', method: 'PATCH'}, do: {effect: 'cut-upload', after: 500_000, how}}
      ]
    });
    expect(await play(row)).toEqual([]);
  });

  test('V5 a redirect to plain http', async () => {
    const row = secure({
      prepare: ({source, sink}) => {
        source.rule(rule({kind: 'blob'}, {effect: 'redirect', to: `${sink.url}{self}`}));
      },
      end: {refused: [/which is not https/]},
      also: nothingAtSink
    });
    expect(await play(row)).toEqual([]);
  });

  test('V2 a token server over plain http at another host', async () => {
    const row = secure({
      prepare: ({source, sink}) => {
        source.rule(
          rule(
            {authorized: false},
            {
              effect: 'answer',
              status: 401,
              headers: {
                'WWW-Authenticate': `Bearer realm="http://localhost:${sink.name.split(':')[1] ?? ''}/token"`
              }
            }
          )
        );
      },
      end: {refused: [/only https is spoken to a token server/]},
      also: nothingAtSink
    });
    expect(await play(row)).toEqual([]);
  });

  test('T25 a certificate that nobody knows is not passed over, nor tried again, nor left for http', async () => {
    const row = secure({
      inputs: {...sourceLogin, 'insecure-registries': ''},
      end: {refused: [/TLS certificate that is not believed/, 'ca-file']},
      longest: 2000,
      also: ({source}) => source.requests.map(({method, path}) => `${method} ${path} was asked`)
    });
    expect(await play(row)).toEqual([]);
  });

  test('T25 end-1 a plain port in place of TLS', async () => {
    const row = secure({
      sourceOptions: {auth},
      end: {refused: [/TLS/, 'insecure-registries']},
      longest: 60_000
    });
    expect(await play(row)).toEqual([]);
  });
});
