import type {ImageFailure, ImageResult, Moved, ReleaseResult} from '../mirror/result.ts';

import {formatBytes} from './bytes.ts';
import {splitRequest} from './causes.ts';
import {formatDuration} from './duration.ts';
import {fateSentence} from './fate.ts';
import {plural} from './lines.ts';
import {releaseSpan} from './plan-line.ts';
import type {RunRecord} from './record.ts';

/** What a run came to. */
export type Outcome =
  'failed' | 'mirrored' | 'repaired' | 'complete' | 'planned' | 'staged' | 'nothing';

/** What a run came to, and the one sentence that says it. */
export interface Verdict {
  readonly outcome: Outcome;
  /** What happened to what, without its full stop: to stand above everything else. */
  readonly headline: string;
  /** Further sentences, of what the headline and the bytes do not tell. */
  readonly notes: readonly string[];
  /** The headline, the bytes and the notes together. */
  readonly sentence: string;
}

/** A failure and where it happened; without release and image it is the run's own. */
export interface Failed {
  readonly release?: string;
  readonly image?: string;
  readonly error: ImageFailure;
}

/** Judges a run by its record alone; says nothing that the record does not hold. */
export function verdict(record: RunRecord): Verdict {
  const {outcome, headline, bytes, note} = judge(record);
  const fate = fateSentence(record.releases.flatMap(({images}) => images));
  const notes = [note, fate === undefined ? undefined : `${fate}.`].filter(
    text => text !== undefined
  );
  const first = stopped(`${headline}${bytes === undefined ? '' : `: ${bytes}`}`);
  return {outcome, headline, notes, sentence: [first, ...notes].join(' ')};
}

/** As a sentence: with a full stop, where it does not end in a mark of its own. */
export function stopped(text: string): string {
  return /[.?!]$/.test(text) ? text : `${text}.`;
}

interface Judgement {
  readonly outcome: Outcome;
  readonly headline: string;
  readonly bytes?: string;
  readonly note?: string;
}

function judge(record: RunRecord): Judgement {
  const {releases, dryRun, publish, reason} = record;
  if (hasFailed(record)) return {outcome: 'failed', headline: failureHeadline(record)};
  const all = releases.flatMap(({images}) => images);
  const what = countOf(releases);
  const moved = totals(all);
  const bytes = (verb = '') =>
    `${formatBytes(moved.copied)} ${verb}copied, ${formatBytes(moved.mounted)} ${verb}mounted, ${formatBytes(moved.present)} already there`;
  const target = place(record.target);
  const time = formatDuration(record.finishedAt.getTime() - record.startedAt.getTime());
  if (releases.length === 0) {
    return {
      outcome: 'nothing',
      headline: reason?.replace(/\.$/, '') ?? 'There was nothing to mirror'
    };
  }
  if (dryRun) {
    return {
      outcome: 'planned',
      headline: `Dry run: ${what} for ${target}`,
      bytes: bytes('to be '),
      note: 'Nothing was moved.'
    };
  }
  if (!publish) {
    return {
      outcome: 'staged',
      headline: `Staged ${what} at ${target} in ${time}`,
      bytes: bytes(),
      note: 'No tag was pushed.'
    };
  }
  const changed = releases.filter(release => release.changed);
  if (changed.length > 0) {
    const others = releases.filter(release => !release.changed).map(({tag}) => tag);
    return {
      outcome: 'mirrored',
      headline: `Mirrored ${countOf(changed)} to ${target} in ${time}`,
      bytes: bytes(),
      ...(others.length > 0 && {note: `No tag had to change for ${releaseSpan(others)}.`})
    };
  }
  if (moved.copied + moved.mounted > 0) {
    const done = record.engine === 'docker' ? 'Sent again' : 'Repaired';
    const mended = all.filter(({status}) => status !== 'present').length;
    const part = mended < all.length ? `${mended} of ` : '';
    return {
      outcome: 'repaired',
      headline: `${done} ${part}${what} at ${target} in ${time}`,
      bytes: bytes(),
      note: 'No tag had to change.'
    };
  }
  return {
    outcome: 'complete',
    headline: `Already complete: ${what} at ${target}, verified in ${time}`,
    note: 'Nothing was moved.'
  };
}

function countOf(releases: readonly ReleaseResult[]): string {
  const images = releases.reduce((sum, release) => sum + release.images.length, 0);
  return `${plural(images, 'image')} of ${releaseSpan(releases.map(({tag}) => tag))}`;
}

/** Whether anything that was asked for was not reached. */
export function hasFailed({failure, releases, dryRun, publish}: RunRecord): boolean {
  if (failure !== undefined) return true;
  if (releases.some(({images}) => images.some(({status}) => status === 'failed'))) return true;
  return publish && !dryRun && releases.some(({published}) => !published);
}

/** Every failure once: the run's own first, unless an image tells the same. */
export function failures({failure, releases}: RunRecord): Failed[] {
  const images = releases.flatMap(({tag, images}) =>
    images
      .filter(({status}) => status === 'failed')
      .map(({name, error}) => ({
        release: tag,
        image: name,
        error: error ?? {message: 'It was not reached.'}
      }))
  );
  if (failure === undefined) return images;
  const told = images.some(({error}) => error === failure || error.message === failure.message);
  return told ? images : [{error: failure}, ...images];
}

/** The releases that are whole at the target, oldest first. */
export function published({releases}: RunRecord): ReleaseResult[] {
  return releases.filter(release => release.published);
}

/** The bytes of many images together. */
export function totals(images: readonly ImageResult[]): Moved {
  const sum = (part: keyof Moved) => images.reduce((total, {bytes}) => total + bytes[part], 0);
  return {copied: sum('copied'), mounted: sum('mounted'), present: sum('present')};
}

/** `myregistry.azurecr.io/arcdata` */
export function place({registry, repository}: RunRecord['source']): string {
  return `${registry}/${repository}`;
}

/** Where and how something failed, as far as known: host, repository, digest, status, attempts. */
export function circumstances(error: ImageFailure): string[] {
  const {host, repository, digest, status, attempts} = error;
  return [
    ...(host === undefined ? [] : [`host ${host}`]),
    ...(repository === undefined ? [] : [`repository ${repository}`]),
    ...(digest === undefined ? [] : [`digest ${digest}`]),
    ...(status === undefined ? [] : [`status ${status}`]),
    ...(attempts === undefined ? [] : [plural(attempts, 'attempt')])
  ];
}

function failureHeadline(record: RunRecord): string {
  const {releases, failure, publish, dryRun, unreached = []} = record;
  const parts: string[] = [];
  const whole = published(record);
  if (whole.length > 0) {
    const isAre = whole.length === 1 ? 'is' : 'are';
    parts.push(
      `${releaseSpan(whole.map(({tag}) => tag))} ${isAre} whole at ${place(record.target)}`
    );
  }
  for (const release of releases.filter(({published}) => !published)) {
    const bad = release.images.filter(({status}) => status === 'failed').length;
    const fate = publish && !dryRun ? 'was not published' : 'is not whole';
    if (bad > 0) {
      parts.push(
        `${release.tag} ${fate}: ${bad} of ${plural(release.images.length, 'image')} failed`
      );
    } else if (publish && !dryRun) {
      parts.push(`${release.tag} ${fate}`);
    }
  }
  const reason = failure && splitRequest(failure.message).answer.replace(/\.$/, '');
  // The images' own failures are told with them, unless one reason stopped the run and all of them.
  const images = releases.flatMap(release => release.images);
  const stopped = images.some(({error}) => error?.message === failure?.message);
  if (reason !== undefined && (whole.length === releases.length || stopped)) parts.unshift(reason);
  if (unreached.length > 0 && releases.length > 0) {
    const wasWere = unreached.length === 1 ? 'was' : 'were';
    parts.push(`${releaseSpan(unreached)} ${wasWere} not begun`);
  }
  return `Failed: ${parts.length === 0 ? (reason ?? 'not everything was reached') : parts.join('; ')}`;
}
