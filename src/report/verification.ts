import {clean} from '../oci/clean.ts';
import {formatReference, type RegistryName} from '../oci/reference.ts';
import type {ImageFailure} from '../mirror/result.ts';
import type {Difference, VerifiedImage} from '../mirror/verify.ts';

import {formatBytes} from './bytes.ts';
import {formatDuration} from './duration.ts';
import {plural} from './lines.ts';
import {safeFailure} from './outputs.ts';
import {releaseSpan} from './plan-line.ts';
import type {Side} from './record.ts';
import type {Redactor} from './redact.ts';
import {place} from './verdict.ts';

/** A release of the target that was looked at. */
export interface VerifiedRelease {
  readonly tag: string;
  readonly targetTag: string;
  readonly images: readonly VerifiedImage[];
  /** Optional images that the source does not have, or did not have when the lock file was written. */
  readonly missing: readonly string[];
}

/** What a verification found out. */
export interface Verification {
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly target: Side & {readonly registry: RegistryName};
  /** What the target was compared with. */
  readonly comparedWith:
    | {readonly kind: 'source'; readonly place: string}
    | {readonly kind: 'lock-file'; readonly place: string};
  readonly releases: readonly VerifiedRelease[];
  /** Why it ended early. */
  readonly failure?: ImageFailure;
  /** Requests sent to each side. */
  readonly requests: {readonly source: number; readonly target: number};
}

/**
 * What a verification came to: `whole` everything is there and equal; `different` something is not;
 * `nothing` there was no image to look at; `failed` it could not be found out.
 */
export type VerifyOutcome = 'whole' | 'different' | 'nothing' | 'failed';

/** An image in the document. `target` ends in the digest that is expected there. */
export interface VerifiedRow {
  readonly release: string;
  readonly name: string;
  readonly target: string;
  readonly expected?: string;
  readonly found?: string;
  readonly whole: boolean;
  readonly checked: VerifiedImage['checked'];
  readonly differences: readonly Difference[];
}

/** A verification as one JSON document: what `verify --json` prints. */
export interface VerifyReport {
  readonly schemaVersion: 1;
  readonly outcome: VerifyOutcome;
  readonly message: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly target: string;
  readonly comparedWith: Verification['comparedWith'];
  readonly releases: readonly {
    readonly tag: string;
    readonly targetTag: string;
    readonly whole: boolean;
  }[];
  readonly images: readonly VerifiedRow[];
  readonly missing: readonly {readonly release: string; readonly name: string}[];
  readonly failure?: ImageFailure;
  readonly requests: Verification['requests'];
}

/** What it came to, and the one sentence that says it. */
export function verifyVerdict(found: Verification): {outcome: VerifyOutcome; sentence: string} {
  const {failure, releases, target, comparedWith, startedAt, finishedAt} = found;
  const images = releases.flatMap(release => release.images);
  const other = clean(comparedWith.place);
  const where = clean(place(target));
  const what = `${plural(images.length, 'image')} of ${releaseSpan(releases.map(({tag}) => clean(tag)))}`;
  if (failure !== undefined) {
    return {outcome: 'failed', sentence: `Not verified: ${failure.message.replace(/\.$/, '')}.`};
  }
  if (images.length === 0) {
    const sentence = `Nothing was verified at ${where}: there is no release to compare with in ${other}.`;
    return {outcome: 'nothing', sentence};
  }
  const bad = images.filter(({differences}) => differences.length > 0).length;
  if (bad > 0) {
    const sentence = `Different: ${bad} of ${what} at ${where} ${bad === 1 ? 'is' : 'are'} not as in ${other}.`;
    return {outcome: 'different', sentence};
  }
  const bytes = images.reduce((sum, {checked}) => sum + checked.bytes, 0);
  const time = formatDuration(finishedAt.getTime() - startedAt.getTime());
  return {
    outcome: 'whole',
    sentence: `Verified: ${what} at ${where}, whole and as in ${other}, ${formatBytes(bytes)} looked at in ${time}.`
  };
}

/** A verification as a document, without secrets. */
export function verifyReport(found: Verification, redactor: Redactor): VerifyReport {
  const safe = (text: string) => clean(redactor.redact(text), 2000);
  const {outcome, sentence} = verifyVerdict(found);
  const {startedAt, finishedAt, target, comparedWith, releases, failure, requests} = found;
  return {
    schemaVersion: 1,
    outcome,
    message: safe(sentence),
    startedAt: startedAt.toISOString(),
    finishedAt: finishedAt.toISOString(),
    target: clean(place(target)),
    comparedWith: {kind: comparedWith.kind, place: safe(comparedWith.place)},
    releases: releases.map(({tag, targetTag, images}) => ({
      tag: clean(tag),
      targetTag: clean(targetTag),
      whole: images.length > 0 && images.every(isWhole)
    })),
    images: releases.flatMap(({images}) => images.map(image => rowOf(image, target, safe))),
    missing: releases.flatMap(({tag, missing}) =>
      missing.map(name => ({release: clean(tag), name: clean(name)}))
    ),
    ...(failure !== undefined && {failure: safeFailure(failure, redactor)}),
    requests
  };
}

function isWhole({differences}: VerifiedImage): boolean {
  return differences.length === 0;
}

function rowOf(
  image: VerifiedImage,
  {registry}: Verification['target'],
  safe: (text: string) => string
): VerifiedRow {
  const {release, name, target, digest, found, checked, differences} = image;
  const pin = digest !== undefined && {digest};
  return {
    release: clean(release),
    name: clean(name),
    target: safe(formatReference({registry, ...target, ...pin})),
    ...(digest !== undefined && {expected: digest}),
    ...(found !== undefined && {found}),
    whole: isWhole(image),
    checked,
    differences: differences.map(({kind, message, digest: one}) => ({
      kind,
      message: safe(message),
      ...(one !== undefined && {digest: one})
    }))
  };
}
