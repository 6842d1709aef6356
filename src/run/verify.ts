import type {Settings} from '../inputs.ts';
import type {Log} from '../log.ts';
import {failureOf} from '../mirror/error.ts';
import type {ImageFailure} from '../mirror/result.ts';
import {ease, openLanes} from '../mirror/schedule.ts';
import {type ExpectedImage, Verifier} from '../mirror/verify.ts';
import {parseTag, within} from '../oci/reference.ts';
import type {Registry} from '../registry/registry.ts';
import {leadingImage} from '../release/catalog.ts';
import type {LockedImage, LockFile} from '../report/lockfile.ts';
import type {Verification, VerifiedRelease} from '../report/verification.ts';
import type {Reporter} from '../report/reporter.ts';
import {place} from '../report/verdict.ts';
import {greet, greetOne, type Network, openRegistries, openTarget} from './registries.ts';
import {firstQuestions} from './first-questions.ts';
import {chooseReleases} from './releases.ts';
import {endedBy, endOf} from './time-limit.ts';

/** Where a verification takes place. */
export interface VerifyStage {
  readonly reporter: Pick<Reporter, 'group'>;
  readonly log: Log;
  readonly env: NodeJS.ProcessEnv;
  /** Aborts when it is cancelled. */
  readonly signal: AbortSignal;
  /** Another network than this machine's own. */
  readonly network?: Network;
}

/** A lock file that the target is compared with. */
export interface Against {
  readonly path: string;
  readonly lockFile: LockFile;
}

interface ExpectedRelease extends Omit<VerifiedRelease, 'images'> {
  readonly images: readonly ExpectedImage[];
}

/**
 * Compares the target with the source, or with a lock file, for which no source is needed: every
 * tag, and everything below it. Nothing is written anywhere. It does not throw: what goes wrong is
 * in what it gives back.
 */
export async function verify(
  settings: Settings,
  stage: VerifyStage,
  against?: Against
): Promise<Verification> {
  const {env, log, reporter, network} = stage;
  const startedAt = new Date();
  const time = endOf(stage.signal, settings.timeout);
  const {signal} = time;
  const lanes = openLanes(settings.concurrency);
  const around = {
    ...{env, log, signal, network, readOnly: true},
    onPressure: (side: 'source' | 'target') => {
      ease(lanes, side);
    }
  };
  const releases: VerifiedRelease[] = [];
  const registries: {source?: Registry; target?: Registry} = {};
  let failure: ImageFailure | undefined;
  const look = async (target: Registry, expected: readonly ExpectedRelease[]) => {
    const verifier = new Verifier({target, slots: lanes.control, signal});
    for (const release of expected) {
      const images = await reporter.group(`Verify ${release.tag}`, () =>
        Promise.all(release.images.map(image => verifier.image(image)))
      );
      releases.push({...release, images});
    }
  };
  try {
    if (against === undefined) {
      using open = await openRegistries(settings, around);
      Object.assign(registries, open);
      await reporter.group('Sign in', () => greet(open, settings, {log, signal}));
      const reading = {log, slots: lanes.reading, signal, looking: true};
      const {releases: chosen} = await reporter.group('Releases', () =>
        chooseReleases(open, settings, firstQuestions(open, settings, reading), reading)
      );
      const expected = chosen.map(({tag, targetTag, missing, images}) => ({
        ...{tag, targetTag, missing},
        images: images.map(({release, name, target, root, attached}) => ({
          ...{release, name, target, attached},
          digest: root.descriptor.digest
        }))
      }));
      await look(open.target, expected);
    } else {
      const {target, releases: locked} = against.lockFile;
      const first = locked[0]?.images[0]?.name ?? leadingImage;
      using open = await openTarget(settings, around);
      registries.target = open.target;
      await reporter.group('Sign in', () =>
        greetOne(open.target, within(settings.target.repository, first), {log, signal})
      );
      const own = place(settings.target);
      if (target !== own)
        log.notice(`The lock file was written for ${target}; ${own} is looked at.`);
      if (against.lockFile.dryRun)
        log.notice('The lock file was written by a dry run: what it names need not be there.');
      await look(
        open.target,
        locked.map(release => expectedOf(release, settings))
      );
    }
  } catch (error) {
    const {source, target} = registries;
    failure = failureOf(signal.aborted ? endedBy(signal.reason, error, [source, target]) : error);
  } finally {
    time.end();
  }
  const {registry, repository} = settings.target;
  return {
    startedAt,
    finishedAt: new Date(),
    target: {registry, repository},
    comparedWith:
      against === undefined
        ? {kind: 'source', place: place(settings.source)}
        : {kind: 'lock-file', place: against.path},
    releases,
    ...(failure !== undefined && {failure}),
    requests: {
      source: registries.source?.requests ?? 0,
      target: registries.target?.requests ?? 0
    }
  };
}

function expectedOf(
  {tag, targetTag, missing, images}: LockFile['releases'][number],
  {target}: Settings
): ExpectedRelease {
  return {
    ...{tag, targetTag, missing},
    images: images.map(image => ({
      release: tag,
      name: image.name,
      target: {repository: within(target.repository, image.name), tag: tagOf(image)},
      digest: image.digest
    }))
  };
}

/** @throws OciError when the lock file's reference has no tag */
function tagOf({target, digest}: LockedImage): string {
  const untied = digest === undefined ? target : target.slice(0, -`@${digest}`.length);
  return parseTag(/:([^:/]*)$/.exec(untied)?.[1] ?? '');
}
