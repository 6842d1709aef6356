import {describe, expect, test} from '@jest/globals';

import {mediaTypes} from '../../src/oci/media-type.ts';
import {play, release, type Row} from '../support/fault-world.ts';
import {
  account,
  always,
  asked,
  error,
  most,
  nothingAtSink,
  rule,
  short,
  signedIn,
  sourceLogin,
  status,
  unversioned
} from '../support/rows.ts';
import {putRelease, smallTag} from '../support/small-release.ts';

// The rules of the specification, each by its endpoint's own number there; most of them have their
// faults in the other files of this folder.

const {engine} = release;
/** A page of some other server. */
const page = (code: number, text: string) =>
  status(code, {headers: {'Docker-Distribution-Api-Version': null}, body: {html: text}});
const manifestTypes = [
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerList
];

/** A token server that refuses whoever asks for another right than to pull and to push. */
const withoutDelete = rule(
  {kind: 'token'},
  {
    effect: 'custom',
    run: async exchange => {
      if (!exchange.route.query.getAll('scope').some(scope => scope.endsWith(':delete')))
        return false;
      await exchange.answer(400, {}, {json: error('NAME_INVALID', 'unable to decode actions')});
      return true;
    }
  },
  {times: always}
);

const rows: readonly Row[] = [
  ...(['source', 'target'] as const).flatMap((side): Row[] => [
    {
      id: 'end-1',
      name: `/v2/ of the ${side} is 404, and all else works`,
      [side]: [
        unversioned,
        rule({kind: 'ping'}, status(404, {body: error('NOT_FOUND')}), {times: always})
      ],
      end: 'complete'
    },
    {
      id: 'end-1',
      name: `all of the ${side} is a page that does not exist`,
      [side]: [rule({}, page(404, '<p>nothing here'), {times: always})],
      end: {refused: [/it is no registry/]},
      longest: 10_000
    },
    {
      id: 'end-1',
      name: `all of the ${side} is one page`,
      [side]: [rule({}, page(200, '<p>welcome'), {times: always})],
      end: {refused: [/it is no registry/]},
      longest: 10_000
    },
    {
      id: 'end-1',
      name: `the ${side} speaks https`,
      [side]: [
        rule({}, status(400, {body: {html: 'an HTTP request was sent to an HTTPS server'}}), {
          times: always
        })
      ],
      end: {refused: ['take it out of insecure-registries']},
      longest: 10_000
    },
    {
      id: 'end-1',
      name: `/v2/ of the ${side} is a page`,
      [side]: [unversioned, rule({kind: 'ping'}, page(200, '<p>welcome'), {times: always})],
      end: {refused: [/it is no registry/, 'status 200']},
      longest: 10_000
    },
    {
      id: 'end-1',
      name: `/v2/ of the ${side} leads to a page for signing in`,
      prepare: world => {
        world.sink.rule(rule({}, page(200, '<p>sign in'), {times: always}));
        world[side].rule(unversioned);
        world[side].rule(
          rule(
            {kind: 'ping'},
            {effect: 'redirect', to: `${world.sink.url}/login`, status: 302},
            {
              times: always
            }
          )
        );
      },
      end: {refused: [/it is no registry/]},
      longest: 10_000
    },
    {
      id: 'end-1',
      name: `/v2/ of the ${side} is 500 four times`,
      [side]: [unversioned, rule({kind: 'ping'}, status(500), {times: 4})],
      end: 'complete'
    },
    {
      id: 'end-1',
      name: `/v2/ of the ${side} is 500 for good`,
      [side]: [unversioned, rule({kind: 'ping'}, status(500), {times: always})],
      end: {refused: ['status 500', 'attempts']}
    },
    {
      id: 'end-1',
      name: `/v2/ of the ${side} is 500 for good, and nobody has to sign in there`,
      [side]: [rule({kind: 'ping'}, status(500), {times: always})],
      idle: true,
      end: 'complete',
      also: world =>
        asked(world[side].requests, 'ping', 'GET').map(({path}) => `${path} is asked for nothing`)
    }
  ]),
  {
    id: 'end-1',
    name: 'the target wants a password, and there is none',
    targetOptions: {auth: {kind: 'basic', username: 'me', password: 'x'}},
    end: {refused: ['Give its user name and password']},
    longest: 10_000
  },
  {
    id: 'end-3',
    name: 'manifests are asked for by the types that are understood',
    end: 'complete',
    also: ({source, target}) =>
      [source, target]
        .flatMap(({requests}) => asked(requests, 'manifest', 'GET', 'HEAD'))
        .filter(({headers}) => manifestTypes.some(type => headers.accept?.includes(type) !== true))
        .map(({method, path}) => `${method} ${path} does not say what it takes`)
  },
  {
    id: 'end-4b',
    name: 'no upload goes up in one POST, which registries may ignore',
    targetOptions: {character: {singlePost: false}},
    end: 'complete',
    also: ({target}) =>
      asked(target.requests, 'upload', 'POST')
        .filter(({query, bytesIn}) => query.includes('digest=') || bytesIn > 0)
        .map(({path}) => `POST ${path} carries a blob`)
  },
  ...([405, 404, 500, 'drop', 'stall'] as const).map((how): Row => ({
    id: 'end-14',
    name: `uploads that are given up cannot be cancelled: ${how}`,
    targetOptions: {profile: 'spec'},
    network: short,
    target: [
      rule({kind: 'upload', method: 'PATCH'}, status(403, {body: error('DENIED')}), {
        times: always
      }),
      rule(
        {kind: 'upload', method: 'DELETE'},
        typeof how === 'number' ? status(how) : {effect: how},
        {times: always}
      )
    ],
    // The refusal is told, and nothing of the cancelling.
    end: {refused: ['status 403', 'DENIED', engine.digest]},
    also: ({target}) =>
      asked(target.requests, 'upload', 'DELETE').length > 0 ? [] : ['nothing was cancelled']
  })),
  ...(['distribution', 'quay'] as const).map((profile): Row => ({
    id: 'end-14',
    name: `uploads are cancelled with the right that it takes at ${profile}`,
    ...signedIn,
    targetOptions: {...signedIn.targetOptions, profile},
    target: [
      rule({kind: 'upload', method: 'PATCH'}, status(403, {body: error('DENIED')}), {
        times: always
      }),
      // Its token server knows of pull and push alone.
      ...(profile === 'quay' ? [withoutDelete] : [])
    ],
    end: {refused: ['status 403', 'DENIED', engine.digest]},
    also: ({target}) =>
      target.store.sessions.map(({repository}) => `an upload of ${repository} stays open`)
  })),
  {
    id: 'end-14',
    name: 'uploads that are given up are cancelled, though that fails once for each',
    targetOptions: {profile: 'spec'},
    network: short,
    target: [
      rule({kind: 'upload', method: 'PATCH'}, status(403, {body: error('DENIED')}), {
        times: always
      }),
      rule({kind: 'upload', method: 'DELETE'}, status(503), {times: 2})
    ],
    end: {refused: ['status 403', 'DENIED', engine.digest]},
    also: ({target}) =>
      target.store.sessions.map(({repository}) => `an upload of ${repository} stays open`)
  },
  {
    id: 'end-14',
    name: 'a run does not end before the uploads that it gave up are cancelled',
    targetOptions: {profile: 'spec'},
    target: [
      rule({kind: 'upload', method: 'PATCH'}, status(403, {body: error('DENIED')}), {
        times: always
      }),
      rule(
        {kind: 'upload', method: 'DELETE'},
        {
          effect: 'custom',
          run: async () => {
            await new Promise(resolve => setTimeout(resolve, 1000));
            return false;
          }
        },
        {times: always}
      )
    ],
    end: {refused: ['status 403', 'DENIED', engine.digest]},
    also: ({target}) =>
      target.store.sessions.map(({repository}) => `an upload of ${repository} stays open`)
  },
  {
    id: 'end-7',
    name: 'manifests go up with their own type',
    end: 'complete',
    also: ({target}) =>
      asked(target.requests, 'manifest', 'PUT')
        .filter(({headers, path}) => {
          const [repository = '', reference = ''] = path.slice('/v2/'.length).split('/manifests/');
          const stored = target.store.manifest(repository, reference);
          const {mediaType} = JSON.parse(stored?.body.toString() ?? '{}') as {mediaType?: string};
          return headers['content-type'] !== mediaType;
        })
        .map(({path}) => `${path} was put as something else`)
  },
  {
    id: 'end-7',
    name: 'manifests are too large for the target',
    target: [
      rule({kind: 'manifest', method: 'PUT'}, status(413, {body: {html: '<p>too large'}}), {
        times: always
      })
    ],
    end: {refused: ['status 413', 'limits the size of requests', 'mirror/arcdata/']},
    longest: 10_000
  },
  ...[1, 2].map((pageSize): Row => ({
    id: 'end-8',
    name: `the newest release stands on the last of many pages of ${pageSize}`,
    sourceOptions: {profile: 'spec', pageSize},
    inputs: {'source-tag': 'latest'},
    prepare: ({source}) => {
      for (let month = 1; month <= 5; month++)
        putRelease(source.store, 'arcdata', release, `v1.2${month}.0_2025-0${month}-11`);
    },
    end: 'complete',
    also: ({target}) =>
      target.store.tag('mirror/arcdata/arc-controller', smallTag) === undefined
        ? ['another release was mirrored']
        : []
  })),
  ...(
    [
      ['nothing', ''],
      ['a page', {html: '<p>no'}],
      ['JSON of another form', '{"errors": "no"}'],
      ['entries that are none', '{"errors": [null, 5, {"code": 7, "message": {}}, []]}'],
      ['null', 'null'],
      ['bytes that are no text', Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0x80, 0x00])],
      ['5 MB', {repeat: 'x', size: 5_000_000}]
    ] as const
  ).map(([what, body]): Row => ({
    id: 'spec-errors',
    name: `an error says ${what}`,
    source: [rule({kind: 'blob', digest: engine.digest}, status(400, {body}), {times: always})],
    end: {refused: ['status 400', engine.digest, 'arcdata/arc-controller']},
    longest: 10_000
  })),
  {
    id: 'spec-warnings',
    name: 'warnings are shown once each, and change nothing',
    source: [
      rule(
        {kind: 'manifest'},
        {effect: 'headers', set: {Warning: '299 - "this one ends in May"'}},
        {times: always}
      ),
      rule(
        {kind: 'blob'},
        {effect: 'headers', set: {Warning: '299 - "that one too"'}},
        {times: always}
      )
    ],
    target: [rule({}, {effect: 'headers', set: {Warning: '199 - "not for you"'}}, {times: always})],
    end: 'complete',
    also: (_, {reporter}) => {
      const shown = reporter.lines
        .filter(({level, text}) => level === 'warning' && text.includes(' warns: '))
        .map(({text}) => text.replace(/^.* warns: /, ''));
      const wanted = ['this one ends in May', 'that one too'];
      return shown.join() === wanted.join() ? [] : [`shown were: ${shown.join()}`];
    }
  },
  {
    id: 'spec-warnings',
    name: 'those of a host that it redirects to are not its own',
    sourceOptions: {character: {redirectBlobs: true}},
    prepare: ({source}) => {
      source.blobHost?.rule(
        rule({}, {effect: 'headers', set: {Warning: '299 - "call us"'}}, {times: always})
      );
    },
    end: 'complete',
    also: (_, {reporter}) =>
      reporter.lines.filter(({text}) => text.includes('call us')).map(({text}) => text)
  },
  {
    id: 'spec-proxying',
    name: 'the credentials of one registry never go to the other',
    sourceOptions: {auth: {...account, password: 'of the source'}},
    targetOptions: {auth: {...account, kind: 'basic', password: 'of the target'}},
    inputs: {
      ...{...sourceLogin, 'source-password': 'of the source'},
      ...{...signedIn.inputs, 'target-password': 'of the target'}
    },
    secrets: ['of the source', 'of the target'],
    end: 'complete',
    also: ({source, target}) => {
      const given = (requests: typeof source.requests) =>
        new Set(requests.flatMap(({headers}) => headers.authorization ?? []));
      const [there, here] = [given(source.requests), given(target.requests)];
      return most(0, 'credentials went to both', [...there].filter(one => here.has(one)).length);
    }
  },
  {
    id: 'spec-redirects',
    name: 'only questions are sent on to others, uploads and manifests are not',
    prepare: ({target, sink}) => {
      target.rule(
        rule(
          {method: ['PUT', 'POST', 'PATCH']},
          {effect: 'redirect', to: `${sink.url}{self}`},
          {times: always}
        )
      );
    },
    end: {refused: ['another origin']},
    also: nothingAtSink,
    longest: 60_000
  },
  {
    id: 'spec-moved',
    name: 'what opens uploads and tags is sent on within the registry, by 307 and 308',
    prepare: ({target}) => {
      const here = (status: number) => ({effect: 'redirect', to: '{self}', status}) as const;
      target.rule(rule({kind: ['upload', 'mount'], method: 'POST'}, here(308), {times: 3}));
      target.rule(rule({kind: 'manifest', method: 'PUT'}, here(307), {times: 5}));
    },
    end: 'complete'
  },
  {
    id: 'spec-moved-other',
    name: 'a redirect that takes the method away is none for what writes',
    prepare: ({target}) => {
      const there = {effect: 'redirect', to: '{self}', status: 301} as const;
      target.rule(rule({kind: 'manifest', method: 'PUT'}, there, {times: always}));
    },
    end: {refused: ['status 301']},
    longest: 60_000
  }
];

describe('what the specification asks of a client', () => {
  test.each(rows.map(row => [row.id, row.name, row] as const))('%s %s', async (_id, _name, row) => {
    expect(await play(row, 'nothing')).toEqual([]);
  });
});
