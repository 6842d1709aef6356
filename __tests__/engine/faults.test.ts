import {readdir, readFile} from 'node:fs/promises';

import {expect, test} from '@jest/globals';

import type {RuleMatch} from '../../src/demo/rules.ts';
import {seedRelease} from '../../src/demo/sample.ts';
import {DockerError} from '../../src/docker/error.ts';
import {deferred} from '../../src/mirror/deferred.ts';
import type {Plan} from '../../src/mirror/plan.ts';
import type {RunRecord} from '../../src/report/record.ts';
import {DockerEngine, type DockerEngineOptions} from '../../src/run/docker-engine.ts';
import {verdict} from '../../src/report/verdict.ts';
import {describeOnPosix, recordedLog} from '../docker/fake.ts';
import {
  configOf,
  type DaemonImage,
  fail,
  FakeDaemon,
  type FakeDaemonOptions,
  hang,
  noDaemon
} from './fake-daemon.ts';
import {names, repository, type Scene, setScene, tag} from './run.ts';

const repositories = names.map(name => `${repository}/${name}`);
const old = 'v1.45.0_2026-04-14';

/** The tags at the target, by image. */
const tagsAt = ({target}: Scene) =>
  repositories.map(one =>
    target.store.tagEvents
      .filter(event => event.repository === one)
      .map(event => event.tag)
      .filter((name, i, all) => all.indexOf(name) === i)
      .filter(name => target.store.tag(one, name) !== undefined)
  );

/** Why it failed, in one text: the run's own reason and the images'. */
function reasons({failure, releases}: RunRecord): string {
  const images = releases.flatMap(({images}) => images.flatMap(({error}) => error ?? []));
  return [failure, ...images]
    .flatMap(error => (error === undefined ? [] : [`${error.message} ${error.advice ?? ''}`]))
    .join('\n');
}

/** Nothing was left behind: at the daemon, in the runner's temp, under a tag. */
async function expectNothingLeft(scene: Scene): Promise<void> {
  expect([...(scene.daemon?.images.keys() ?? [])]).toEqual([]);
  expect(await readdir(scene.place.temp)).toEqual([]);
  expect(tagsAt(scene)).toEqual(names.map(() => []));
}

describeOnPosix('the docker engine', () => {
  test('V11 publishes a release as one set, and takes its staging tags away', async () => {
    await using scene = await setScene(new FakeDaemon());
    const {record, log, commands} = await scene.run();
    expect(record.failure).toBeUndefined();
    expect(tagsAt(scene)).toEqual(names.map(() => [tag]));
    const events = scene.target.store.tagEvents;
    expect(events.filter(({holes}) => holes.length > 0)).toEqual([]);
    const own = events.filter(event => event.tag === tag).map(event => event.repository);
    expect(own).toEqual([
      `${repository}/arc-monitor-telegraf`,
      `${repository}/arc-bootstrapper`,
      `${repository}/arc-controller`
    ]);
    const staged = events.slice(0, 3).map(event => event.tag);
    expect(new Set(staged).size).toBe(1);
    expect(staged[0]).toMatch(/^mirror-[0-9a-f]{24}$/);
    expect(record.releases[0]).toMatchObject({published: true, changed: true});
    expect(record.releases[0]?.images.map(({throughDocker}) => throughDocker)).toEqual(
      names.map(() => ({fate: 'rewritten', platform: 'linux/amd64'}))
    );
    expect(verdict(record).sentence).toMatch(
      /0 digests kept, 3 rewritten; of 1 image for several platforms only linux\/amd64 travelled\.$/
    );
    expect(log.lines.join('\n')).not.toContain('keep the tag');
    expect([...(scene.daemon?.images.keys() ?? [])]).toEqual([]);
    // Each image once: pulled by digest, pushed under the staging tag, never under its own.
    const said = await commands();
    expect(said.filter(line => line.startsWith('pull '))).toHaveLength(3);
    expect(said.filter(line => line.startsWith('pull ')).every(line => line.includes('@'))).toBe(
      true
    );
    expect(said.filter(line => line.startsWith('push ') && line.includes(tag))).toEqual([]);
  });

  test('E2 keeps digests where the daemon does, and says what travelled of an index', async () => {
    await using scene = await setScene(new FakeDaemon({store: 'containerd'}));
    const {record} = await scene.run();
    const images = record.releases[0]?.images ?? [];
    expect(images.map(({throughDocker}) => throughDocker?.fate)).toEqual([
      'kept',
      'kept',
      'one-platform'
    ]);
    expect(images.slice(0, 2).map(({digest}) => digest)).toEqual(
      scene.release.images.slice(0, 2).map(({digest}) => digest)
    );
    expect(verdict(record).sentence).toContain('2 digests kept, 0 rewritten; of 1 image');
    // What was kept is complete the next time; the rest is sent again, and said.
    const again = await scene.run();
    expect(again.record.releases[0]?.images.map(({status}) => status)).toEqual([
      'present',
      'present',
      'copied'
    ]);
    expect(again.record.releases[0]?.changed).toBe(false);
    expect(again.log.lines.join('\n')).toContain(
      'One image stands at the target with another digest'
    );
    expect(again.record.releases[0]?.images[2]?.bytes.copied).toBeLessThan(10_000);
  });

  test('says which staging tags stay where none can be deleted', async () => {
    await using scene = await setScene(new FakeDaemon(), {character: {deletes: false}});
    const {record, log} = await scene.run();
    expect(record.failure).toBeUndefined();
    const [staging = ''] = tagsAt(scene)[0]?.filter(name => name !== tag) ?? [];
    expect(log.lines.join('\n')).toContain(
      `3 images keep the tag ${staging} at ${scene.target.name}`
    );
    // One refusal is enough.
    expect(scene.target.requests.filter(({method}) => method === 'DELETE')).toHaveLength(1);
  });

  /** A registry that deletes the manifest with any of its tags. */
  function deletesManifests({target}: Scene): void {
    const {store} = target;
    target.rule({
      on: {method: 'DELETE', kind: 'manifest'},
      times: 'always',
      do: {
        effect: 'custom',
        run: async exchange => {
          const {repository: where = '', tag: name = ''} = exchange.route;
          store.deleteManifest(where, store.tag(where, name) ?? '');
          await exchange.answer(202);
          return true;
        }
      }
    });
  }

  const untagged = ({target}: Scene) =>
    target.requests.filter(({method}) => method === 'DELETE').length;

  /** Once a staging tag was taken away, such requests are refused. */
  function refusesAfterwards(scene: Scene, on: RuleMatch): void {
    scene.target.rule({
      on,
      times: 'always',
      do: {
        effect: 'custom',
        run: async exchange => {
          if (untagged(scene) === 0) return false;
          await exchange.answer(403);
          return true;
        }
      }
    });
  }

  test('puts a tag back that a registry deleted with the staging tag, and leaves the others', async () => {
    await using scene = await setScene(new FakeDaemon());
    const {store} = scene.target;
    deletesManifests(scene);
    const {record, log} = await scene.run();
    expect(record.failure).toBeUndefined();
    for (const [i, one] of repositories.entries()) {
      expect(store.tag(one, tag)).toBe(record.releases[0]?.images[i]?.digest);
    }
    expect(untagged(scene)).toBe(1);
    expect(log.lines.join('\n')).toContain('the registry deletes more than the tag');
  });

  test('puts back what earlier releases call the same image, also when this one fails', async () => {
    await using scene = await setScene(new FakeDaemon());
    const {store} = scene.target;
    const first = await scene.run();
    expect(first.record.failure).toBeUndefined();
    const digests = repositories.map((one, i) => {
      const digest = store.tag(one, tag);
      expect(digest).toBe(first.record.releases[0]?.images[i]?.digest);
      if (digest !== undefined) store.setTag(one, old, digest);
      store.deleteTag(one, tag);
      return digest;
    });
    deletesManifests(scene);
    const before = untagged(scene);
    scene.target.rule({
      on: {method: 'PUT', kind: 'manifest', tag},
      times: 'always',
      do: {effect: 'answer', status: 403}
    });
    const {record, log} = await scene.run();
    expect(record.releases[0]?.published).toBe(false);
    expect(repositories.map(one => store.tag(one, old))).toEqual(digests);
    expect(untagged(scene) - before).toBe(1);
    expect(log.lines.join('\n')).toContain('the registry deletes more than the tag');
  });

  test('puts a tag back also where the registry does not tell that it is gone', async () => {
    await using scene = await setScene(new FakeDaemon());
    const {store} = scene.target;
    deletesManifests(scene);
    refusesAfterwards(scene, {method: ['GET', 'HEAD'], kind: 'manifest'});
    const {record, log} = await scene.run();
    expect(record.failure).toBeUndefined();
    expect(repositories.map(one => store.tag(one, tag))).toEqual(
      record.releases[0]?.images.map(({digest}) => digest)
    );
    expect(log.lines.join('\n')).toContain('2 images keep the tag');
    expect(log.lines.join('\n')).toContain('the registry deletes more than the tag');
  });

  test('fails when a tag that went with the staging tag does not come back', async () => {
    await using scene = await setScene(new FakeDaemon());
    deletesManifests(scene);
    refusesAfterwards(scene, {method: 'PUT', kind: 'manifest', tag});
    const {record} = await scene.run();
    expect(record.failure?.message).toContain(`deleted ${tag} together with the tag`);
    // What it has done until then is told: the other tags stand there.
    expect(record.unreached).toBeUndefined();
    expect(record.releases).toMatchObject([{tag, published: false, changed: true}]);
    const lost = record.releases[0]?.images.filter(({status}) => status === 'failed') ?? [];
    expect(lost.map(({error}) => error?.message)).toEqual([record.failure?.message]);
    expect(reasons(record)).toMatch(/See that \S+ stands for sha256:[0-9a-f]{64} there/);
    expect(untagged(scene)).toBe(1);
  });

  test('brings several releases where tags can be neither deleted nor moved', async () => {
    await using scene = await setScene(new FakeDaemon(), {
      character: {deletes: false, immutableTags: 'refused'}
    });
    seedRelease(scene.source.store, 'arcdata', {tag: old, names, month: 0});
    const {record} = await scene.run({inputs: {'source-tag': `${old}\n${tag}`}});
    expect(record.failure).toBeUndefined();
    expect(record.releases.map(({published}) => published)).toEqual([true, true]);
    const staging = tagsAt(scene).map(tags => tags.filter(one => one.startsWith('mirror-')));
    expect(staging.map(tags => new Set(tags).size)).toEqual(names.map(() => 2));
  });

  const failsLate: FakeDaemonOptions['before'] = ({command, name}) => {
    if (command === 'push' && name.includes('arc-bootstrapper'))
      fail('::error::x\n##[add-mask]y\u001b[2J denied: quota');
  };

  test('E1 publishes nothing when one image fails, which is tried twice', async () => {
    await using scene = await setScene(new FakeDaemon({before: failsLate}));
    const {record, commands} = await scene.run();
    const failed = record.releases[0]?.images.filter(({status}) => status === 'failed') ?? [];
    expect(failed.map(({name}) => name)).toEqual(['arc-bootstrapper']);
    expect(failed[0]?.error).toMatchObject({
      attempts: 2,
      host: scene.target.name,
      repository: `${repository}/arc-bootstrapper`
    });
    expect(failed[0]?.error?.message).toMatch(/^docker push .* failed \(exit code 1\): /);
    expect(failed[0]?.error?.message).not.toMatch(/^\s*::|##\[|\p{Cc}/mu);
    expect(record.releases[0]).toMatchObject({published: false, changed: false});
    expect(record.failure?.message).toContain(`${tag} is not published: one image failed`);
    const pushes = (await commands()).filter(line => line.startsWith('push '));
    expect(pushes.filter(line => line.includes('arc-bootstrapper'))).toHaveLength(2);
    await expectNothingLeft(scene);
  });

  test('leaves the release before as it was', async () => {
    await using scene = await setScene(new FakeDaemon({before: failsLate}));
    const put = repositories.map(one =>
      scene.target.store.putManifest(
        one,
        {mediaType: 'application/vnd.oci.image.manifest.v1+json', body: `{"old": "${one}"}`},
        old
      )
    );
    const {record} = await scene.run();
    expect(record.releases[0]?.published).toBe(false);
    expect(tagsAt(scene)).toEqual(names.map(() => [old]));
    expect(repositories.map(one => scene.target.store.tag(one, old))).toEqual(
      put.map(({digest}) => digest)
    );
  });

  const failsAt = (at: string, text: string) =>
    new FakeDaemon({
      before: ({command}) => {
        if (command === at) fail(text);
      }
    });

  test.each<[string, FakeDaemon | undefined, RegExp]>([
    [
      'is not there',
      undefined,
      /there is no docker client on PATH Install docker, or use engine: registry/
    ],
    [
      'is too old',
      new FakeDaemon({version: 'Docker version 19.03.9, build x'}),
      /too old: 20\.10 or newer.*Install a newer/s
    ],
    [
      'is something else',
      new FakeDaemon({version: 'podman version 4.9'}),
      /not a docker client that works.*Install Docker's own/s
    ],
    ['has no daemon', failsAt('info', noDaemon), /Start the docker daemon, or point DOCKER_HOST/],
    [
      'does not believe the CA',
      failsAt(
        'login',
        'Error response from daemon: Get "https://x/v2/": x509: certificate signed by unknown authority'
      ),
      /could not sign in at .*x509.*\/etc\/docker\/certs\.d\/127\.0\.0\.1:\d+\/ca\.crt on the daemon's own machine; ca-file serves the registry client alone/s
    ],
    [
      'is refused',
      failsAt('login', 'unauthorized: incorrect username or password'),
      /docker was refused at .*engine: registry/s
    ]
  ])('E1 is not begun with when docker %s', async (_, program, message) => {
    await using scene = await setScene(program, {
      auth: {kind: 'basic', username: 'me', password: 'canary-1'}
    });
    const {record} = await scene.run({
      inputs: {'target-username': 'me', 'target-password': 'canary-1'}
    });
    expect(reasons(record)).toMatch(message);
    expect(reasons(record)).not.toContain('canary-1');
    expect(record.releases).toEqual([]);
    expect(scene.target.requests.filter(({kind}) => kind !== 'ping' && kind !== 'token')).toEqual(
      []
    );
    await expectNothingLeft(scene);
  });

  const hangsLate: FakeDaemonOptions['before'] = async ({command, name}) => {
    if (command === 'push' && name.includes('arc-controller')) await hang();
  };

  test('E1 gives an image up that hangs, without a second try, and then the release', async () => {
    await using scene = await setScene(new FakeDaemon({before: hangsLate}));
    const began = performance.now();
    // A third of it is an image's.
    const {record, commands} = await scene.run({settings: {timeout: 24_000}});
    expect(performance.now() - began).toBeLessThan(24_000);
    expect(reasons(record)).toMatch(
      /docker push .*arc-controller.* was stopped: the 8 s that the image may take were over/
    );
    expect(
      (await commands()).filter(line => line.startsWith('push ') && line.includes('arc-controller'))
    ).toHaveLength(1);
    await expectNothingLeft(scene);
  });

  test('removes what it made when the run is cancelled', async () => {
    const abort = new AbortController();
    await using scene = await setScene(new FakeDaemon({before: hangsLate}));
    const running = scene.run({signal: abort.signal});
    for (let left = 200; left > 0 && scene.target.store.tagEvents.length < 2; left--)
      await new Promise(resolve => setTimeout(resolve, 50));
    abort.abort(new Error('the run was cancelled'));
    const {record} = await running;
    expect(record.failure?.message).toBe('the run was cancelled');
    await expectNothingLeft(scene);
  });

  test('E1 stops everything when the daemon goes away', async () => {
    await using scene = await setScene(failsAt('pull', noDaemon));
    const {record, commands} = await scene.run({settings: {concurrency: 1}});
    expect(reasons(record)).toContain('Start the docker daemon');
    expect((await commands()).filter(line => line.startsWith('pull '))).toHaveLength(1);
    await expectNothingLeft(scene);
  });

  test.each([
    [
      'T27',
      'has no room for an image',
      'no space left on device',
      /docker system prune.*engine: registry/s
    ],
    ['E1', 'fails and says nothing', '', /it said nothing/]
  ])('%s docker %s', async (_id, _what, said, told) => {
    await using scene = await setScene(
      failsAt('pull', said === '' ? '' : `failed to register layer: write /x: ${said}`)
    );
    const {record, commands} = await scene.run({settings: {concurrency: 1}});
    expect(reasons(record)).toMatch(/docker pull \S+ .*failed \(exit code 1\)/);
    expect(reasons(record)).toMatch(told);
    expect(record.releases[0]).toMatchObject({published: false, changed: false});
    // Without room none of the others is tried, nor the first once more.
    const pulls = (await commands()).filter(line => line.startsWith('pull '));
    expect(pulls).toHaveLength(said === '' ? 2 * names.length : 1);
    await expectNothingLeft(scene);
  });

  test('does not publish what docker made another image of', async () => {
    const other = deferred<DaemonImage>();
    await using scene = await setScene(
      new FakeDaemon({
        before: async ({command, name}, {images}) => {
          if (command !== 'push') return;
          const image = images.get(name);
          if (name.includes('telegraf') && image !== undefined) other.resolve(image);
          // Whichever of the two is first: the other one is waited for.
          if (name.includes('arc-controller')) images.set(name, await other.promise);
        }
      })
    );
    const {record} = await scene.run({settings: {concurrency: 3}});
    expect(reasons(record)).toMatch(
      /docker made sha256:\S+ of arc-controller, which is another image/
    );
    expect(record.releases[0]?.published).toBe(false);
    expect(tagsAt(scene)).toEqual(names.map(() => []));
  });

  test.each([
    ['once, and is sent again', 1, [tag]],
    ['and never comes', 'always', []]
  ] as const)('T15 finds out when a layer is lost %s', async (_, times, tags) => {
    await using scene = await setScene(new FakeDaemon(), {verifyReferences: false});
    scene.target.rule({
      on: {method: 'PUT', kind: 'upload', repository: `${repository}/arc-controller`},
      times,
      do: {effect: 'vanish'}
    });
    const {record} = await scene.run();
    expect(tagsAt(scene)).toEqual(names.map(() => tags));
    expect(record.failure === undefined).toBe(tags.length > 0);
    if (tags.length > 0) return;
    expect(reasons(record)).toMatch(
      /arc-controller does not have sha256:\S+, though it was sent it by docker/
    );
  });

  test('is not opened where the disk is too small for what is there at once', async () => {
    const layer = {mediaType: 'x', digest: 'sha256:x', size: 2 ** 55};
    const image = {manifests: [{manifest: {kind: 'image', config: layer, layers: [layer]}}]};
    const plan = {images: [{image, complete: false, standing: {}}]} as unknown as Plan;
    const daemon = {version: '28', store: 'classic', driver: 'x', dataRoot: '/'};
    const options = {
      ...{docker: {daemon}, env: {}, settings: {timeout: 1, concurrency: 24}, log: recordedLog()},
      signal: new AbortController().signal
    } as unknown as DockerEngineOptions;
    const opened: unknown = await DockerEngine.open(plan, options).catch((error: unknown) => error);
    expect(opened).toBeInstanceOf(DockerError);
    expect(opened).toMatchObject({
      fault: 'space',
      advice: expect.stringContaining('engine: registry')
    });
    const complete = {images: [{image, complete: true, standing: {}}]} as unknown as Plan;
    await expect(DockerEngine.open(complete, options)).resolves.toBeInstanceOf(DockerEngine);
  });

  test('signs docker in with what the job signed in to before', async () => {
    await using scene = await setScene(new FakeDaemon(), {
      auth: {kind: 'basic', username: 'me', password: 'canary-2'}
    });
    const auth = Buffer.from('me:canary-2').toString('base64');
    const {record, log} = await scene.run({
      env: {DOCKER_AUTH_CONFIG: JSON.stringify({auths: {[scene.target.name]: {auth}}})}
    });
    expect({...record.failure}).toEqual({});
    expect(tagsAt(scene)).toEqual(names.map(() => [tag]));
    expect(log.secrets).toContain('canary-2');
    const calls = await scene.place.calls();
    expect(calls.filter(({argv, env}) => JSON.stringify([argv, env]).includes('canary-2'))).toEqual(
      []
    );
  });

  test('gives docker an identity token as docker itself would keep it', async () => {
    const token = 'canary-token-3';
    const seen: string[] = [];
    await using scene = await setScene(
      new FakeDaemon({
        before: async call => {
          seen.push(await readFile(configOf(call), 'utf8'));
          if (call.command === 'push') fail('unauthorized');
        }
      }),
      {auth: {kind: 'bearer', username: 'me', password: 'x', identityToken: token}}
    );
    const config = JSON.stringify({auths: {[scene.target.name]: {identitytoken: token}}});
    await scene.run({env: {DOCKER_AUTH_CONFIG: config}});
    expect(JSON.parse(seen.at(-1) ?? '')).toMatchObject({
      auths: {
        [scene.target.name]: {
          auth: Buffer.from('00000000-0000-0000-0000-000000000000:').toString('base64'),
          identitytoken: token
        }
      }
    });
    await expectNothingLeft(scene);
  });
});
