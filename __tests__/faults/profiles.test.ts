import {describe, expect, test} from '@jest/globals';

import type {Profile} from '../../src/demo/profiles.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {play, release} from '../support/fault-world.ts';
import {knownAs, prepareFor} from '../support/known.ts';
import {mirrorRun, smallBounds} from '../support/mirror-run.ts';
import {judge, snapshotOf} from '../support/oracle.ts';
import {asked, most} from '../support/rows.ts';
import {putRelease, smallNames} from '../support/small-release.ts';
import {VirtualClock} from '../support/virtual-clock.ts';

/** Each kind by its number in the matrix. */
const ids = [
  ...(['at-acr', 'at-ecr', 'at-ghcr', 'at-dockerhub', 'at-harbor', 'at-gitlab'] as const),
  ...(['at-quay', 'at-nexus', 'at-artifactory', 'at-gar', 'at-zot', 'at-nginx'] as const),
  ...(['at-distribution', 'at-spec'] as const)
];
const profiles = ids.map(id => [id, id.slice('at-'.length) as Profile] as const);

const auth = {kind: 'bearer', username: 'robot', password: 'c"a$n%a ry'} as const;
const inputs = {'target-username': auth.username, 'target-password': auth.password};
/** The release's blobs, each once. */
const blobs = new Set(
  [...release.images.values()]
    .flatMap(image => [image, ...image.children])
    .flatMap(image => image.blobs.map(({digest}) => digest))
);
/** What the zot that is meant here is set up with: docker's types are taken as well. */
const character = {manifestTypes: 'all'} as const;

describe.each(profiles)('%s as the target', (_id, profile) => {
  test.each(['known by its name', 'not known'] as const)(
    'cold, unchanged and in need of repair, %s',
    async knowledge => {
      const clock = new VirtualClock();
      await using source = await EmbeddedRegistry.start({now: clock.now});
      await using target = await EmbeddedRegistry.start({now: clock.now, profile, auth, character});
      putRelease(source.store, 'arcdata', release);
      prepareFor(profile, target, 'mirror/arcdata', smallNames);
      const quirks = knowledge === 'not known' ? smallBounds : knownAs(profile, target);
      const run = async () => {
        const before = snapshotOf(target.store);
        const asked = {source: source.requests.length, target: target.requests.length};
        const end = await mirrorRun({source, target, clock, inputs, network: {quirks}});
        const foreign = target.blobHost ? [target.blobHost] : [];
        const findings = judge({
          ...{run: end, source, target, before, foreign, expected: 'complete'},
          secrets: [auth.password]
        });
        return {
          findings,
          changed: end.record.releases[0]?.changed,
          read: source.requests
            .slice(asked.source)
            .filter(({kind, method}) => kind === 'blob' && method === 'GET')
            .map(({path}) => path.slice(path.lastIndexOf('/') + 1)),
          written: target.requests
            .slice(asked.target)
            .filter(({method}) => ['PUT', 'PATCH', 'POST'].includes(method))
            .filter(({kind}) => kind !== 'token').length
        };
      };
      const cold = await run();
      expect({findings: cold.findings, changed: cold.changed}).toEqual({
        findings: [],
        changed: true
      });
      // Each blob was read once, where mounts work and bodies may have its length.
      const known = knowledge === 'known by its name';
      const late = ['artifactory', 'ecr'].includes(profile) && !known;
      const twice = cold.read.length - new Set(cold.read).size;
      expect(late || profile === 'nginx' ? 0 : twice).toBe(0);
      expect(await run()).toEqual({findings: [], changed: false, read: [], written: 0});
      target.store.deleteBlob('mirror/arcdata/arc-controller', release.engine.digest);
      const {findings, changed, read} = await run();
      expect({findings, changed}).toEqual({findings: [], changed: false});
      expect([...new Set(read)]).toEqual([release.engine.digest]);
    }
  );
});

describe.each(profiles)('%s as the source', (_id, profile) => {
  test('is read', async () => {
    const findings = await play({
      id: profile,
      name: profile,
      sourceOptions: {profile, auth: {...auth, anonymousPull: true}},
      end: 'complete'
    });
    expect(findings).toEqual([]);
  });
});

describe('what a registry wants and does not have', () => {
  test('at-zot without docker’s types says so, and nothing is converted', async () => {
    const findings = await play({
      id: 'zot',
      name: 'zot',
      targetOptions: {profile: 'zot'},
      end: {
        refused: ['status 415', 'application/vnd.docker.distribution.manifest', 'not supported']
      },
      longest: 120_000
    });
    expect(findings).toEqual([]);
  });

  test.each(['ecr', 'harbor'] as const)('at-%s without the repository', async profile => {
    const findings = await play({
      id: profile,
      name: profile,
      targetOptions: {profile},
      end: {refused: ['NAME_UNKNOWN', 'status 404', 'mirror/arcdata']},
      // What is not there will not be there a moment later: once for each blob, and in the second pass.
      also: ({target}) =>
        most(2 * blobs.size, 'uploads', asked(target.requests, 'upload', 'POST').length),
      longest: 60_000
    });
    expect(findings).toEqual([]);
  });

  test('at-ghcr without credentials says that none were used', async () => {
    const findings = await play({
      id: 'ghcr',
      name: 'ghcr',
      targetOptions: {profile: 'ghcr', auth: {...auth, anonymousPull: true}},
      end: {refused: ['status 403', 'no credentials were used']},
      longest: 60_000
    });
    expect(findings).toEqual([]);
  });
});
