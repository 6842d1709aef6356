import type {installDocker} from './docker/install.ts';
import type {Settings} from './inputs.ts';
import type {Engine} from './mirror/engine.ts';
import {plannedResult} from './mirror/image-result.ts';
import {Mirror} from './mirror/mirror.ts';
import {makePlan} from './mirror/plan.ts';
import {ease, openLanes} from './mirror/schedule.ts';
import {Survey} from './mirror/survey.ts';
import {publishedLast} from './release/resolve.ts';
import type {RunRecord} from './report/record.ts';
import type {Reporter} from './report/reporter.ts';
import {DockerEngine} from './run/docker-engine.ts';
import {Draft} from './run/draft.ts';
import {figures, plannedReleases} from './run/figures.ts';
import {firstQuestions} from './run/first-questions.ts';
import {matrixOf} from './run/matrix.ts';
import {tellMoves} from './run/moves.ts';
import {greet, type Network, openRegistries} from './run/registries.ts';
import {chooseReleases} from './run/releases.ts';
import {signInDocker} from './run/sign-in.ts';
import {endedBy, endOf} from './run/time-limit.ts';
import type {Undo} from './run/undo.ts';

/** Where a run takes place: a step of a workflow, or a terminal. */
export interface Stage {
  readonly reporter: Reporter;
  readonly env: NodeJS.ProcessEnv;
  /** Aborts when the run is cancelled. */
  readonly signal: AbortSignal;
  /** Where what is private to the run may lie for its time. */
  readonly runnerTemp: string;
  readonly undo: Undo;
  /** Installs a docker client, where there is a place for tools. */
  readonly installer?: typeof installDocker;
  /** Another network than this machine's own. */
  readonly network?: Network;
}

/**
 * Mirrors what the settings ask for, and reports it. It does not throw: whatever goes wrong is in
 * the record, and has been reported.
 */
export async function main(settings: Settings, stage: Stage): Promise<RunRecord> {
  const {reporter, env} = stage;
  const {log} = reporter;
  const draft = new Draft(settings);
  const time = endOf(stage.signal, settings.timeout);
  const {signal} = time;
  try {
    const lanes = openLanes(settings.concurrency);
    using registries = await openRegistries(settings, {
      env,
      log,
      signal,
      network: stage.network,
      onPressure: side => {
        ease(lanes, side);
      }
    });
    const {source, target} = registries;
    draft.registries = registries;
    source.warm({questions: lanes.ahead.source, bodies: 0});
    const questions = firstQuestions(registries, settings, {log, slots: lanes.reading, signal});

    using docker = await reporter.group('Sign in', async () => {
      const greeting = greet(registries, settings, {
        log,
        signal,
        asked: questions.early ? questions.lists : undefined
      });
      // Behind the first questions: many connections opened at once must not hold them up.
      target.warm({questions: lanes.ahead.target, bodies: 0});
      await greeting;
      return await signInDocker(settings, registries, {...stage, log, signal});
    });

    const carries = !settings.dryRun && settings.engine === 'registry';
    const survey = new Survey({
      target,
      slots: lanes.control,
      signal,
      offers: carries
    });
    const choice = await reporter.group('Releases', () =>
      chooseReleases(registries, settings, questions, {
        log,
        slots: lanes.reading,
        signal,
        survey,
        onMissing: () => {
          if (carries) target.warm({questions: 0, bodies: lanes.large.most + lanes.small.most});
        }
      })
    );
    draft.choice = choice;

    const plan = await reporter.group('Plan', async () => {
      const made = await makePlan(
        choice.releases.flatMap(({images}) => images),
        survey,
        source.name === target.name
      );
      reporter.planned(figures(choice.releases, made));
      // Of what goes through docker, the engine tells: there, other digests are the rule.
      if (settings.publish && settings.engine === 'registry') tellMoves(made.images, log);
      return made;
    });
    const releases = plannedReleases(choice.releases, plan);
    if (settings.dryRun) {
      draft.releases.push(
        ...releases.map(release =>
          plannedResult(release, {source: source.name, target: target.name})
        )
      );
      // What docker pushes cannot be staged.
      if (settings.engine === 'registry') draft.matrix = matrixOf(plan, settings);
    } else {
      using progress = reporter.progress(plan.bytes.copied);
      const options = {
        source,
        target,
        lanes,
        log,
        signal,
        publish: settings.publish,
        last: publishedLast,
        arrived: (bytes: number) => {
          progress.moved(bytes);
        }
      };
      const engine: Engine =
        docker.ready === undefined
          ? new Mirror(options)
          : await DockerEngine.open(plan, {...options, docker: docker.ready, env, settings});
      for (const release of releases) {
        const {result, failure} = await reporter.group(`Mirror ${release.tag}`, () =>
          engine.release(release)
        );
        draft.releases.push(result);
        // Upgrades go from one release to the next: a later one is of no use without this one.
        if (failure !== undefined) throw failure;
      }
    }
  } catch (error) {
    const {source, target} = draft.registries ?? {};
    draft.fail(signal.aborted ? endedBy(signal.reason, error, [source, target]) : error);
  } finally {
    time.end();
  }
  return await reporter.finish(draft.finish());
}
