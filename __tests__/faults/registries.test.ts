import {describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {RuleMatch} from '../../src/demo/rules.ts';
import {type Digest, digestOf} from '../../src/oci/digest.ts';
import {quirksOf} from '../../src/registry/quirks.ts';
import {play, release, type Row, type World} from '../support/fault-world.ts';
import {mirrorRun, patientTimings, smallBounds} from '../support/mirror-run.ts';
import {judge, snapshotOf} from '../support/oracle.ts';
import {always, asked, error, most, nothingAtSink, rule, short, status} from '../support/rows.ts';
import {imageOf, putImage, putRelease, smallTag} from '../support/small-release.ts';
import {VirtualClock} from '../support/virtual-clock.ts';

// What single kinds of registry were seen to do, beside the traits that their profiles have: those are
// met in profiles.test.ts, and what all of them may do in the other files of this folder.

const MiB = 1024 * 1024;
const {engine} = release;
const post: RuleMatch = {kind: ['upload', 'mount'], method: 'POST'};
const patch: RuleMatch = {kind: 'upload', method: 'PATCH'};
const put: RuleMatch = {kind: 'upload', method: 'PUT'};
const putManifest: RuleMatch = {kind: 'manifest', method: 'PUT'};

/** An image with a layer of so many bytes takes the place of arc-dns. */
const withLayer =
  (size: number, type?: string) =>
  ({source}: World): void => {
    const bytes = Buffer.alloc(size, 'a layer of its own ');
    const image = imageOf('large', 'oci', [{bytes, digest: digestOf(bytes)}]);
    const body =
      type === undefined
        ? image.body
        : image.body.toString().replace('application/vnd.oci.image.layer.v1.tar+gzip', type);
    putImage(source.store, 'arcdata/arc-dns', image);
    source.store.putManifest('arcdata/arc-dns', {mediaType: image.mediaType, body}, smallTag);
  };

/** What Nexus says where nothing may be deployed a second time. */
const notAgain = (detail: string) => ({
  errors: [{code: 'BLOB_UPLOAD_INVALID', message: 'blob upload invalid', detail}]
});

/** PATCHes break, which makes the client go on in chunks; so often that a second pass meets it too. */
const breaks = rule(
  {...patch, contentRange: false},
  {effect: 'cut-upload', after: 100_000},
  {times: 4}
);

const rows: readonly Row[] = [
  ...(['known', 'not known'] as const).map((knowledge): Row => ({
    id: 'at-acr',
    name: `a blob above 20 MiB in one PUT is refused, the registry ${knowledge}`,
    targetOptions: {profile: 'acr'},
    network: {
      quirks: name => ({...quirksOf(knowledge === 'known' ? 'mine.azurecr.io' : name)})
    },
    prepare: withLayer(24 * MiB),
    end: 'complete',
    also: ({target}) =>
      most(
        knowledge === 'known' ? 0 : 1,
        'requests were too large',
        target.requests.filter(one => one.status === 413).length
      )
  })),
  {
    id: 'at-acr',
    name: 'a commit takes longer than any other answer may',
    targetOptions: {profile: 'acr'},
    network: {timings: {...patientTimings, answer: 500}},
    target: [rule(put, {effect: 'delay', ms: 1000}, {times: always})],
    end: 'complete',
    also: ({target}) => {
      const commits = asked(target.requests, 'upload', 'PUT');
      return most(0, 'commits were repeated', commits.filter(one => one.status !== 201).length);
    }
  },
  {
    id: 'at-acr',
    name: 'commits end in GENERIC_STORAGE_ERROR for a minute',
    targetOptions: {profile: 'acr'},
    target: [
      rule(put, status(500, {body: error('GENERIC_STORAGE_ERROR')}), {
        times: always,
        window: {to: 60_000}
      })
    ],
    end: 'complete'
  },
  {
    id: 'at-acr',
    name: '429 with a Retry-After that counts down',
    targetOptions: {profile: 'acr'},
    target: [60, 50, 40].map(seconds =>
      rule(post, status(429, {headers: {'Retry-After': String(seconds)}}))
    ),
    end: 'complete',
    also: (_, {waited}) => (waited >= 60_000 ? [] : [`it waited ${waited} ms only`]),
    longest: 300_000
  },
  ...(['POST', 'PATCH', 'PUT'] as const).map((method): Row => ({
    id: 'at-acr',
    name: `429 to ${method} of an upload, again and again: chunks or a new one would only be more requests`,
    // No catalogue: then the upload is opened as such, and not by way of a mount.
    targetOptions: {profile: 'acr', character: {catalog: false}},
    target: [
      rule(
        {kind: 'upload', method, repository: 'mirror/arcdata/arc-controller'},
        status(429, {headers: {'Retry-After': '1'}}),
        {times: 12}
      )
    ],
    end: 'complete',
    also: ({target}) => [
      ...most(
        0,
        'chunks were sent',
        asked(target.requests, 'upload', 'PATCH').filter(
          ({headers}) => headers['content-range'] !== undefined
        ).length
      ),
      ...most(0, 'uploads were given up', asked(target.requests, 'upload', 'DELETE').length)
    ]
  })),
  {
    id: 'at-ghcr',
    name: 'a chunk above 4 MiB is refused with 416',
    targetOptions: {profile: 'ghcr'},
    network: {quirks: name => ({...smallBounds(name), chunk: 4.5 * MiB})},
    target: [breaks],
    end: 'complete'
  },
  {
    id: 'at-ghcr',
    name: 'of several chunks only the last one is kept',
    targetOptions: {profile: 'ghcr', character: {chunks: 'last'}},
    target: [breaks],
    end: 'complete'
  },
  {
    id: 'at-ecr',
    name: 'ten manifests a second, no Retry-After',
    targetOptions: {profile: 'ecr', character: {creates: 'all'}},
    target: [
      rule(putManifest, status(429, {body: error('TOOMANYREQUESTS', 'Rate exceeded')}), {times: 12})
    ],
    end: 'complete'
  },
  {
    id: 'at-ecr',
    name: 'pages of more than a thousand are refused',
    sourceOptions: {profile: 'ecr'},
    inputs: {'source-tag': 'latest'},
    end: 'complete',
    also: ({source}) =>
      asked(source.requests, 'tags', 'GET')
        .filter(({query}) => Number(new URLSearchParams(query).get('n') ?? 0) > 1000)
        .map(({query}) => `a page was asked for with ${query}`)
  },
  {
    id: 'at-dockerhub',
    name: 'mounts are refused with 400 for their repository',
    targetOptions: {profile: 'spec'},
    target: [
      rule({kind: 'mount'}, status(400, {body: error('NAME_INVALID', 'invalid repository name')}), {
        times: always
      })
    ],
    end: 'complete'
  },
  {
    id: 'at-gitlab',
    name: 'the tag for referrers leads to the image itself',
    sourceOptions: {profile: 'gitlab'},
    targetOptions: {profile: 'gitlab'},
    inputs: {referrers: 'true'},
    end: 'complete'
  },
  {
    id: 'at-quay',
    name: 'layers that are not packed are refused, which is told and not mended',
    targetOptions: {profile: 'quay'},
    prepare: withLayer(1000, 'application/vnd.oci.image.layer.v1.tar'),
    end: {refused: ['status 400', 'MANIFEST_INVALID', 'mirror/arcdata/arc-dns']},
    longest: 60_000
  },
  {
    id: 'at-quay',
    name: 'no mount goes without the repository that it is from',
    targetOptions: {profile: 'quay'},
    end: 'complete',
    also: ({target}) => {
      const mounts = asked(target.requests, 'mount', 'POST');
      return [
        ...(mounts.length > 0 ? [] : ['nothing was mounted']),
        ...mounts.filter(({query}) => !query.includes('&from=')).map(({query}) => query)
      ];
    }
  },
  {
    id: 'at-harbor',
    name: 'one upload in ten is unknown to the next replica',
    targetOptions: {profile: 'harbor', character: {creates: 'all'}},
    target: [2, 7, 11].map(skip =>
      rule({kind: 'upload', method: ['PUT', 'PATCH']}, {effect: 'lose-session'}, {skip})
    ),
    end: 'complete'
  },
  {
    id: 'at-harbor',
    name: 'its database knows a blob that its storage has lost',
    targetOptions: {profile: 'harbor', character: {creates: 'all'}},
    prepare: ({target}) => {
      putRelease(target.store, 'mirror/arcdata', release);
      target.store.deleteBlob('mirror/arcdata/arc-controller', engine.digest);
      target.store.deleteTag('mirror/arcdata/arc-controller', smallTag);
      target.rule(
        rule(
          {kind: 'blob', method: 'HEAD', digest: engine.digest},
          {
            effect: 'custom',
            run: async exchange => {
              await exchange.answer(200, {'Content-Length': String(engine.bytes.length)});
              return true;
            }
          },
          {times: always}
        )
      );
    },
    end: 'complete'
  },
  {
    id: 'at-nexus',
    name: 'tags that may not be written a second time',
    targetOptions: {profile: 'nexus'},
    target: [
      rule(
        {...putManifest, tag: smallTag},
        status(400, {body: error('UNKNOWN', 'repository does not allow updating assets: docker')}),
        {times: always}
      )
    ],
    end: {refused: ['status 400', 'does not allow updating assets']},
    longest: 60_000
  },
  {
    id: 'at-nexus',
    name: 'the reason is in the detail alone',
    targetOptions: {profile: 'nexus'},
    target: [
      rule(
        {...putManifest, tag: smallTag},
        status(400, {body: notAgain('Repository does not allow updating assets: docker')}),
        {times: always}
      )
    ],
    end: {
      refused: ['status 400', 'blob upload invalid: Repository does not allow updating assets']
    },
    longest: 60_000
  },
  {
    id: 'at-nexus',
    name: 'what is there must not be written again, and all repositories share their blobs',
    targetOptions: {profile: 'nexus', character: {mount: 'never'}},
    prepare: ({target}) => {
      const {store} = target;
      target.rule(
        rule(
          put,
          {
            effect: 'custom',
            run: async exchange => {
              const {repository = '', digest = ''} = exchange.route;
              const holder = store.holderOf(digest as Digest);
              if (holder === undefined) return false;
              store.mountBlob(repository, digest as Digest, holder);
              const text = `docker/v2/-/blobs/${digest} cannot be updated`;
              await exchange.answer(400, {}, {json: notAgain(text)});
              return true;
            }
          },
          {times: always}
        )
      );
    },
    end: 'complete',
    also: ({target}) => {
      const refused = asked(target.requests, 'upload', 'PUT').filter(one => one.status === 400);
      // Each of both shared layers in the two other repositories.
      return most(4, 'commits were refused', refused.length);
    }
  },
  {
    id: 'at-nexus',
    name: 'tags are set, the answers are lost, and they must not be set again',
    targetOptions: {profile: 'nexus'},
    target: [rule({...putManifest, tag: smallTag}, {effect: 'lose-answer'}, {times: 2})],
    prepare: ({target}) => {
      target.rule(
        rule(
          putManifest,
          {
            effect: 'custom',
            run: async exchange => {
              const {repository = '', tag, digest = ''} = exchange.route;
              if (target.store.manifest(repository, tag ?? digest) === undefined) return false;
              const text = 'Repository does not allow updating assets: docker';
              await exchange.answer(400, {}, {json: notAgain(text)});
              return true;
            }
          },
          {times: always}
        )
      );
    },
    end: 'complete'
  },
  {
    id: 'at-gar',
    name: 'uploads break, and several chunks are not taken',
    targetOptions: {profile: 'gar'},
    target: [breaks],
    end: 'complete'
  },
  {
    id: 'at-distribution',
    name: 'no upload is gone on with after a failed commit',
    targetOptions: {profile: 'distribution'},
    target: [rule(put, status(500), {times: 6})],
    end: 'complete',
    also: ({target}) => {
      const commits = asked(target.requests, 'upload', 'PUT').map(({path}) => path);
      return most(0, 'uploads were committed twice', commits.length - new Set(commits).size);
    }
  },
  {
    id: 'at-k8s',
    name: 'the list of referrers leads to a page for signing in',
    inputs: {referrers: 'true'},
    prepare: ({source, sink}) => {
      sink.rule(rule({}, status(200, {body: {html: '<p>sign in'}}), {times: always}));
      source.rule(
        rule({kind: 'referrers'}, {effect: 'redirect', to: `${sink.url}/login`}, {times: always})
      );
    },
    end: 'complete'
  },
  {
    id: 'at-nginx',
    name: 'connections are closed after a thousand requests, uploads are capped, a tag is renamed',
    targetOptions: {profile: 'nginx'},
    inputs: {'target-tag': 'renamed'},
    end: 'complete'
  },
  {
    id: 'at-nginx',
    name: 'requests are taken in whole before they are handed on, and are answered late',
    network: {timings: {...patientTimings, answer: 500}},
    target: [rule(patch, {effect: 'delay', ms: 1000}, {times: always})],
    end: 'complete',
    also: ({target}) =>
      most(
        engine.bytes.length,
        'bytes of the largest blob were sent',
        asked(target.requests, 'upload', 'PATCH').reduce((sum, {bytesIn}) => sum + bytesIn, 0)
      )
  },
  {
    id: 'at-cloudflare',
    name: 'nothing above 4 MiB comes through, which it says by a reset',
    target: [
      rule(
        {kind: 'upload', method: ['PUT', 'PATCH']},
        {effect: 'cut-upload', after: 4 * MiB},
        {times: always}
      )
    ],
    end: 'complete'
  },
  {
    id: 'at-slow-source',
    name: 'the source halts, and the target closes the upload that waits for it',
    source: [
      rule(
        {kind: 'blob', method: 'GET', digest: engine.digest},
        {effect: 'cut-download', after: 1_000_000, how: 'stall', ms: 500}
      )
    ],
    target: [
      rule(patch, {
        effect: 'custom',
        run: ({request}) => {
          const timer = setTimeout(() => request.socket.destroy(), 200);
          request.once('end', () => {
            clearTimeout(timer);
          });
          return false;
        }
      })
    ],
    end: 'complete'
  },
  {
    id: 'at-cdn',
    name: 'downloads at another host never end',
    sourceOptions: {character: {redirectBlobs: true}},
    network: short,
    prepare: ({source}) => {
      source.blobHost?.rule(
        rule({method: 'GET'}, {effect: 'cut-download', after: 10_000, how: 'stall'}, {times: 3})
      );
    },
    end: 'complete',
    also: nothingAtSink
  }
];

describe('what single kinds of registry do', () => {
  test.each(rows.map(row => [row.id, row.name, row] as const))('%s %s', async (_id, _name, row) => {
    expect(await play(row, 'nothing')).toEqual([]);
  });
});

test('at-acr a name that leads to another machine each time is asked once in a run', async () => {
  const clock = new VirtualClock();
  await using source = await EmbeddedRegistry.start({now: clock.now});
  await using target = await EmbeddedRegistry.start({now: clock.now});
  const port = target.name.split(':')[1] ?? '';
  // The other machine does not know what this one takes in.
  await using other = await EmbeddedRegistry.start({
    now: clock.now,
    host: '127.0.0.2',
    port: Number(port)
  });
  putRelease(source.store, 'arcdata', release);
  let asked = 0;
  // Connections are closed all the time, so that there is something to look up.
  target.rule(rule({}, {effect: 'close-after', requests: 2, announced: true}, {times: always}));
  const run = await mirrorRun({
    ...{source, target, clock},
    names: {target: `geo.test:${port}`},
    network: {
      resolve: () =>
        Promise.resolve([{address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4}])
    }
  });
  const before = {tags: new Map(), events: 0};
  expect(judge({run, source, target, before, expected: 'complete'})).toEqual([]);
  expect({asked, there: other.requests.length}).toEqual({asked: 1, there: 0});
  expect(snapshotOf(target.store).tags.size).toBe(3);
});
