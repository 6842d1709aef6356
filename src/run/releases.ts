import {deadline} from '../deadline.ts';
import type {Settings} from '../inputs.ts';
import type {Log} from '../log.ts';
import {MirrorError} from '../mirror/error.ts';
import type {Image, ImageRequest} from '../mirror/graph.ts';
import type {Slots} from '../mirror/slots.ts';
import type {Survey} from '../mirror/survey.ts';
import {within} from '../oci/reference.ts';
import {listRepositories} from '../registry/catalog.ts';
import {refuseUntagged, resolveImages} from '../release/resolve.ts';
import {selectReleases} from '../release/select.ts';
import {newestComplete} from './complete.ts';
import {guardTarget} from './guard.ts';
import type {Registries} from './registries.ts';
import type {FirstQuestions} from './first-questions.ts';
import {wantedImages} from './roots.ts';

/** A release that was chosen, its images read at the source. */
export interface ChosenRelease {
  readonly tag: string;
  readonly targetTag: string;
  readonly images: readonly Image[];
  readonly missing: readonly string[];
}

interface Surroundings {
  readonly log: Log;
  readonly slots: Slots;
  readonly signal: AbortSignal;
  /** Whether nothing is to be moved, whatever comes of it. */
  readonly looking?: boolean;
  /** Told of each image as soon as it is known, so that the target is asked while others are read. */
  readonly survey?: Survey;
  /** Told, as soon as that is known, when the target lacks a tag: then there is something to bring. */
  readonly onMissing?: () => void;
}

/** How long the target's catalogue may take, in milliseconds. */
const longestHint = 10_000;

/** What was chosen. */
export interface Choice {
  /** Oldest first; empty when there is nothing to do. */
  readonly releases: readonly ChosenRelease[];
  /** Why there is nothing to do; absent where there is something. */
  readonly reason?: string;
}

/**
 * Chooses the releases from the tags that the source has now, and reads their images.
 * @throws ReleaseError, RegistryError, MirrorError; nothing has been moved by then
 */
export async function chooseReleases(
  registries: Registries,
  settings: Settings,
  {lists, roots, siblings}: FirstQuestions,
  around: Surroundings
): Promise<Choice> {
  const {target} = registries;
  const {log, slots, signal, survey} = around;
  const {tags: requests} = settings;
  const images = wantedImages(settings);
  const {leader} = lists;
  const place = `${registries.source.name}/${settings.source.repository}`;
  const [{name: leading, tags: live}, targetTags] = await Promise.all([
    lists.source(),
    lists.target()
  ]);
  // A target without this image is most likely empty: then its catalogue, in one question, saves one
  // question for each blob.
  if (survey !== undefined && targetTags.length === 0) {
    // It only saves questions: whatever goes wrong with it must not hold up the rest.
    const hint = deadline(longestHint, signal);
    const listed = listRepositories(target, `${settings.target.repository}/`, hint, 'once');
    survey.open(
      listed.then(
        found => found && new Set(found),
        () => undefined
      )
    );
  }
  const complete = requests.some(({kind}) => kind === 'catch-up')
    ? await newestComplete(registries, settings, {lists, roots, slots, signal})
    : undefined;
  if (live.length === 0 && images.kind === 'exactly' && images.names.includes(leader)) {
    throw refuseUntagged(leader, place);
  }
  const selection = selectReleases({
    requests,
    live,
    from: `${registries.source.name}/${within(settings.source.repository, leading)}`,
    held: targetTags,
    ...(complete !== undefined && {targetComplete: complete})
  });
  for (const note of selection.notes) log.notice(note);
  if (selection.reason !== undefined) log.notice(selection.reason);
  const [onlyTag, second] = selection.tags;
  if (settings.targetTag !== undefined && second !== undefined) {
    throw new MirrorError(
      `target-tag is given, but source-tag names ${selection.tags.length} releases`,
      'Leave target-tag out: each release keeps its own tag.',
      {fault: 'request'}
    );
  }
  const targetTagOf = (tag: string) => (tag === onlyTag ? (settings.targetTag ?? tag) : tag);
  await guardTarget(
    registries,
    settings,
    selection.tags.map(tag => ({tag, targetTag: targetTagOf(tag)})),
    {lists, log, slots, signal}
  );
  const stands = (tag: string) => targetTags.includes(targetTagOf(tag));
  if (!selection.tags.every(stands)) around.onMissing?.();
  const chosen: ChosenRelease[] = [];
  for (const tag of selection.tags) {
    const targetTag = targetTagOf(tag);
    const request = (name: string, imageTag: string): ImageRequest => ({
      release: tag,
      name,
      source: {repository: within(settings.source.repository, name), tag: imageTag},
      target: {
        repository: within(settings.target.repository, name),
        tag: imageTag === tag ? targetTag : imageTag
      }
    });
    // Whoever is there belongs to the release, as far as nothing else is missing: it is read on at once.
    const reading = new Map<string, Promise<Image>>();
    const begin = (name: string, imageTag: string) => {
      const image = roots.read(request(name, imageTag));
      image.then(
        known => survey?.add(known, stands(tag) ? 'tagged' : 'untagged'),
        () => undefined
      );
      reading.set(name, image);
      return image;
    };
    const set = await resolveImages({
      tag,
      from: place,
      selection: images,
      staging: !settings.publish,
      looking: around.looking === true,
      has: async (name, one) => {
        const {repository, tag: under} = request(name, one).target;
        survey?.expect(repository, under);
        const there = await roots.has(name, one);
        if (there) void begin(name, one);
        return there;
      },
      siblings: () => siblings.list(),
      log,
      signal,
      concurrency: slots.limit
    }).catch((error: unknown) => {
      throw roots.explain(error);
    });
    const read = await Promise.all(
      set.images.map(({name, tag: imageTag}) => reading.get(name) ?? begin(name, imageTag))
    );
    chosen.push({tag, targetTag, missing: set.missing, images: read});
    log.info(`${tag}: ${set.images.length} ${set.images.length === 1 ? 'image' : 'images'}`);
  }
  return {releases: chosen, ...(selection.reason !== undefined && {reason: selection.reason})};
}
