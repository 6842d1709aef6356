import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {isRepository} from '../oci/reference.ts';
import {filterBounded} from './bounded.ts';
import {catalogEntries, imageSet, type ImageRole, leadingImage} from './catalog.ts';
import {companions} from './companions.ts';
import {ReleaseError} from './error.ts';
import {nearMisses} from './near-miss.ts';

/** The chart of the extension, an OCI artifact beside the images; its tag is the chart's version. */
export const chartArtifact = 'arcdataservices-extension';

/** The most unlisted names of a source's catalogue that are asked for. */
export const mostSiblings = 1000;

/** The most images of a release that are in no list: all that it has are held in memory, and it has about twenty. */
const mostUnlisted = 100;

/**
 * Why an image is in the set: by its role in the catalogue, found beside the listed ones
 * (`unlisted`), asked for by the user (`asked-for`), or as the `chart` artifact.
 */
export type SetRole = ImageRole | 'unlisted' | 'asked-for' | 'chart';

/** One image to mirror. */
export interface ReleaseImage {
  readonly name: string;
  readonly role: SetRole;
  /** The release's tag; of the chart artifact, the chart's version. */
  readonly tag: string;
}

/** The images that make up a release at a source. */
export interface ReleaseSet {
  readonly tag: string;
  /** Sorted by name. */
  readonly images: readonly ReleaseImage[];
  /** Optional and test-only images that the source does not have under this tag, sorted. */
  readonly missing: readonly string[];
}

/** Which images are wanted: the release's own set, changed by name, or exactly these names. */
export type ImageSelection =
  | {
      readonly kind: 'release-set';
      readonly add: readonly string[];
      readonly remove: readonly string[];
    }
  | {readonly kind: 'exactly'; readonly names: readonly string[]};

/** What a set is found out with. */
export interface ResolveOptions {
  readonly tag: string;
  /** The source and its repository, for messages: `mcr.microsoft.com/arcdata`. */
  readonly from: string;
  readonly selection: ImageSelection;
  /** Whether nothing is published: then a set with gaps misleads nobody. */
  readonly staging?: boolean;
  /** Whether nothing is meant to be moved, so that nothing need be said of it. */
  readonly looking?: boolean;
  /** Asks the source whether the image `name` carries `tag`. */
  readonly has: (name: string, tag: string, signal: AbortSignal) => Promise<boolean>;
  /**
   * The names beneath the source's repository, such as `arc-dns`; undefined where the source cannot
   * tell. Called at most once.
   */
  readonly siblings?: (signal: AbortSignal) => Promise<readonly string[] | undefined>;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** How many questions may be open at once. */
  readonly concurrency: number;
}

/**
 * Finds out which images a release has: every listed name is asked for at the source, and what
 * carries the tag without being listed is taken too. Nothing is moved.
 * @throws ReleaseError when a core image, or one that the user named, is not there, and when nothing
 *   is left; whatever `has` throws, after the other questions have ended
 */
export async function resolveImages(options: ResolveOptions): Promise<ReleaseSet> {
  const {tag, selection, log, has, signal, concurrency} = options;
  const known =
    selection.kind === 'exactly'
      ? named(tag, selection.names)
      : [
          ...listed(tag).filter(
            ({name}) => ![...selection.add, ...selection.remove].includes(name)
          ),
          ...named(tag, selection.add)
        ];
  if (known.length === 0) throw nothingLeft(tag);
  let unheardOf = 0;
  const carry = (images: readonly Candidate[]) =>
    filterBounded(images, concurrency, signal, async ({name, role, tag: under}, one) => {
      const there = await has(name, under, one);
      if (there && role === 'unlisted' && ++unheardOf > mostUnlisted) throw tooMany(tag);
      return there;
    });
  // The list of siblings comes while the known ones are asked for; when one fails, the other has
  // ended before that is told.
  const [listedOnes, unlisted] = await settled([
    carry(known),
    selection.kind === 'exactly' ? Promise.resolve([]) : discover(options, known)
  ]);
  const others = await carry(unlisted);
  const byName = (a: Candidate, b: Candidate) => (a.name < b.name ? -1 : 1);
  const asked = [...known, ...unlisted].sort(byName);
  const there = [...listedOnes, ...others].sort(byName);
  const absent = asked.filter(image => !there.includes(image));
  refuseIncomplete(options, absent);
  if (there.length === 0) throw nothingLeft(tag);
  warnOfGaps(options, there);
  const missing = absent.filter(({role}) => role !== 'unlisted').map(({name}) => name);
  if (missing.length > 0)
    log.notice(`${clean(tag)} comes without ${missing.join(', ')}: the source does not have them.`);
  for (const {name} of there.filter(({role}) => role === 'unlisted'))
    log.notice(`${name} is in no list but carries ${clean(tag)}: it is mirrored too.`);
  return {tag, images: there.map(({name, role, tag}) => ({name, role, tag})), missing};
}

/**
 * The images whose tags come last, in this order: that of arc-controller is what Arc's upgrade check
 * looks for.
 */
export const publishedLast: readonly string[] = ['arc-bootstrapper', leadingImage];

/** Both results, or the first failure after both have ended. */
async function settled<A, B>([one, other]: [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return [await one, await other];
}

interface Candidate extends ReleaseImage {
  /** Whether the run fails without it. */
  readonly required: boolean;
}

function tooMany(tag: string): ReleaseError {
  return new ReleaseError(
    `More than ${mostUnlisted} images that are in no list carry ${clean(tag)}. Name the images that are wanted in images.`
  );
}

function nothingLeft(tag: string): ReleaseError {
  return new ReleaseError(
    `The input images leaves nothing of ${clean(tag)} to mirror. Take out a line that begins with -, or name the images that are wanted.`
  );
}

function listed(tag: string): readonly Candidate[] {
  return imageSet(tag).map(image => ({...image, tag, required: image.role === 'core'}));
}

function named(tag: string, names: readonly string[]): readonly Candidate[] {
  const roles = new Map(imageSet(tag).map(({name, role}) => [name, role]));
  return [...new Set(names)].map(name =>
    name === chartArtifact
      ? {name, role: 'chart', tag: chartTag(tag), required: true}
      : {name, role: roles.get(name) ?? 'asked-for', tag, required: true}
  );
}

function chartTag(tag: string): string {
  const chart = companions(tag)?.chart;
  if (chart !== undefined) return chart;
  throw new ReleaseError(
    `Which version of ${chartArtifact} belongs to ${clean(tag)} is not known. Leave out chart.`
  );
}

async function discover(
  {tag, selection, siblings, log, signal}: ResolveOptions,
  known: readonly Candidate[]
): Promise<readonly Candidate[]> {
  const removed = selection.kind === 'exactly' ? [] : selection.remove;
  const found = await listSiblings(siblings, log, signal);
  const names = [...new Set(found)].filter(name => /^arc-[^/]+$/.test(name) && isRepository(name));
  names.sort();
  const listedNames = imageSet(tag).map(({name}) => name);
  warnOfIdle(
    removed.filter(name => !names.includes(name) && !listedNames.includes(name)),
    [...names, ...listedNames],
    log
  );
  const unlisted = names.filter(
    name => !removed.includes(name) && known.every(other => other.name !== name)
  );
  if (unlisted.length > mostSiblings)
    log.warning(
      `The source lists ${unlisted.length} more names that begin with arc-; the first ${mostSiblings} are asked for.`
    );
  return unlisted
    .slice(0, mostSiblings)
    .map(name => ({name, role: 'unlisted', tag, required: false}));
}

// The list serves alone where the catalogue cannot be had; that is said, since a new image may slip by.
async function listSiblings(
  siblings: ResolveOptions['siblings'],
  log: Log,
  signal: AbortSignal
): Promise<readonly string[]> {
  try {
    const names = await siblings?.(signal);
    if (names === undefined)
      log.debug('The source does not tell its repositories; the built-in list serves alone.');
    return names ?? [];
  } catch (error) {
    signal.throwIfAborted();
    log.warning(
      `The source's repositories cannot be listed, so images that are in no list are not looked for: ${clean((error as Error).message)}`
    );
    return [];
  }
}

function refuseIncomplete(
  {tag, from, looking}: ResolveOptions,
  absent: readonly Candidate[]
): void {
  const lost = absent.filter(({required}) => required);
  if (lost.length === 0) return;
  const core = lost.filter(({role}) => role === 'core').map(({name}) => name);
  const chart = lost.find(({role}) => role === 'chart');
  const other = lost.filter(image => image.role !== 'core' && image !== chart);
  const source = clean(from, 300);
  const parts: string[] = [];
  if (core.length > 0)
    parts.push(
      `${clean(tag)} is not whole at ${source}: ${core.join(', ')} ${are(core)} missing, and Arc does not run without ${core.length > 1 ? 'them' : 'it'}.`
    );
  if (other.length > 0) {
    const names = other.map(image => withTag(image, tag));
    parts.push(
      `${names.join(', ')} ${are(names)} named in images but ${are(names)} not at ${source} under ${other.every(image => image.tag === tag) ? clean(tag) : 'that tag'}.${guess(tag, other)}`
    );
  }
  if (chart !== undefined)
    parts.push(
      `The chart ${withTag(chart, tag)} is not at ${source}. Leave out chart, or mirror from where it is.`
    );
  if (looking !== true) parts.push('Nothing was moved.');
  if (core.length > 0)
    parts.push(
      `The release may still be on its way there: run again later, or leave an image out with ${core.map(name => `-${name}`).join(' ')} in images.`
    );
  throw new ReleaseError(parts.join(' '));
}

function withTag({name, tag}: Candidate, release: string): string {
  return tag === release ? clean(name, 120) : `${clean(name, 120)}:${clean(tag, 120)}`;
}

/**
 * An image that was named has no tag at all where it should be: a misspelt name, or another place.
 * @param from the source and its repository: `mcr.microsoft.com/arcdata`
 */
export function refuseUntagged(name: string, from: string): ReleaseError {
  const names = [...new Set(catalogEntries.map(entry => entry.name))];
  const [meant] = names.includes(name) ? [] : nearMisses(name, names);
  const help =
    meant === undefined
      ? 'Check images, source-registry and source-repository.'
      : `Did you mean ${meant}?`;
  return new ReleaseError(
    `${clean(name, 120)} is named in images, but has no tags at ${clean(from, 300)}. ${help}`
  );
}

function guess(tag: string, lost: readonly Candidate[]): string {
  const names = imageSet(tag).map(({name}) => name);
  const meant = lost.flatMap(({name}) => nearMisses(name, names).slice(0, 1));
  return meant.length > 0 ? ` Did you mean ${meant.join(', ')}?` : '';
}

function warnOfIdle(idle: readonly string[], names: readonly string[], log: Log): void {
  // A name of another version is no mistake: one input may serve a range of releases.
  for (const name of idle.filter(name => catalogEntries.every(entry => entry.name !== name))) {
    const meant = nearMisses(name, names)[0];
    log.warning(
      `-${clean(name, 120)} in images takes nothing away: there is no such image.${meant === undefined ? '' : ` Did you mean -${meant}?`}`
    );
  }
}

function warnOfGaps(
  {tag, selection, staging, log}: ResolveOptions,
  images: readonly Candidate[]
): void {
  const left = listed(tag)
    .filter(({name, required}) => required && images.every(image => image.name !== name))
    .map(({name}) => name);
  if (left.length === 0) return;
  const message = `${clean(tag)} is mirrored without ${left.join(', ')}, as images says: Arc does not run from these images alone.`;
  // Whoever names images one by one knows it; whoever takes one away may not.
  if (staging === true) log.info(message);
  else if (selection.kind === 'exactly') log.notice(message);
  else log.warning(message);
}

function are(names: readonly string[]): string {
  return names.length > 1 ? 'are' : 'is';
}
