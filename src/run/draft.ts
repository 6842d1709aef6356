import type {Settings} from '../inputs.ts';
import {failureOf} from '../mirror/error.ts';
import type {ImageFailure, ReleaseResult} from '../mirror/result.ts';
import type {Matrix, RunRecord} from '../report/record.ts';
import type {Registries} from './registries.ts';

/** The record of a run while it is being written. */
export class Draft {
  readonly releases: ReleaseResult[] = [];
  /** Set when the registries are known, for their counts. */
  registries: Registries | undefined;
  /** Set when a dry run has made its plan. */
  matrix: Matrix | undefined;
  /** The releases to be mirrored, oldest first, or why there are none; once that is known. */
  choice: {readonly releases: readonly {readonly tag: string}[]; readonly reason?: string} = {
    releases: []
  };
  readonly #settings: Settings;
  readonly #startedAt = new Date();
  #failure: ImageFailure | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The run failed; the first failure is the one that is told. */
  fail(error: unknown): void {
    this.#failure ??= failureOf(error);
  }

  /** The record, as it stands now. */
  finish(): RunRecord {
    const {source, target, images, engine, dryRun, publish, lockFile, lockFileAsked} =
      this.#settings;
    const partly = images.kind === 'exactly' || images.remove.length > 0;
    const {releases, reason} = this.choice;
    const unreached = releases.slice(this.releases.length).map(({tag}) => tag);
    return {
      startedAt: this.#startedAt,
      finishedAt: new Date(),
      source: {registry: source.registry, repository: source.repository},
      target: {registry: target.registry, repository: target.repository},
      engine,
      dryRun,
      publish,
      ...(partly && {partly}),
      releases: this.releases.map(release => this.#asEnded(release)),
      ...(unreached.length > 0 && {unreached}),
      ...(reason !== undefined && {reason}),
      lockFile,
      ...(lockFileAsked === true && {lockFileAsked}),
      ...(this.matrix !== undefined && {matrix: this.matrix}),
      ...(this.#failure !== undefined && {failure: this.#failure}),
      // ru_maxrss counts in kibibytes on every platform that Node reports it for.
      peakMemory: process.resourceUsage().maxRSS * 1024,
      requests: {
        source: this.registries?.source.requests ?? 0,
        target: this.registries?.target.requests ?? 0
      }
    };
  }

  /** The run's end tells more than each image knew of it, such as what was waited for. */
  #asEnded(release: ReleaseResult): ReleaseResult {
    const failure = this.#failure;
    if (failure?.kind !== 'EndedError') return release;
    return {
      ...release,
      images: release.images.map(image =>
        image.error?.kind === failure.kind ? {...image, error: {...image.error, ...failure}} : image
      )
    };
  }
}
