import {OciError} from '../oci/error.ts';
import {parseRepository} from '../oci/reference.ts';
import {catalogEntries} from '../release/catalog.ts';
import {isPreReleaseRepository} from '../release/channel.ts';
import {type Checks, shown} from './checks.ts';
import {Refusal} from './error.ts';
import type {ImageSelection} from './settings.ts';

/** The most images that may be named. */
const mostImages = 200;

/** Every image that any release has had. */
const knownImages = catalogEntries.map(({name}) => name);

interface Item {
  readonly sign: '' | '+' | '-';
  readonly name: string;
}

/**
 * The images to mirror: exactly those named; or, where every name has a sign, the release's own set
 * with some added and some taken away; or that set as it is. What is wrong is noted at the checks.
 */
export function readImages(checks: Checks): ImageSelection {
  // Those that are right are looked at together, whatever else is wrong.
  const items: Item[] = [];
  checks.readList('images', text => {
    const item = readItem(text);
    items.push(item);
    return item;
  });
  const pick = (sign: Item['sign']) => [
    ...new Set(items.filter(item => item.sign === sign).map(({name}) => name))
  ];
  const [names, add, remove] = [pick(''), pick('+'), pick('-')];
  const [named] = names;
  const signed = items.find(({sign}) => sign !== '');
  if (named !== undefined && signed !== undefined) {
    checks.refuse(
      'images',
      `${shown(named)} has no sign and ${shown(signed.sign + signed.name)} has one; either every name has + or -, or none has`
    );
  }
  const both = add.find(name => remove.includes(name));
  if (both !== undefined) {
    checks.refuse('images', `${shown(`+${both}`)} and ${shown(`-${both}`)} contradict each other`);
  }
  const count = names.length + add.length + remove.length;
  if (count > mostImages) {
    checks.refuse('images', `names ${count} images; at most ${mostImages} are taken`);
  }
  return named === undefined ? {kind: 'release-set', add, remove} : {kind: 'exactly', names};
}

/** Every name that may become part of a path at the target. */
export function namesIn(selection: ImageSelection): readonly string[] {
  return selection.kind === 'exactly' ? selection.names : [...knownImages, ...selection.add];
}

function readItem(text: string): Item {
  const name = text.replace(/^[+-]/, '');
  const sign = name === text ? '' : text.startsWith('+') ? '+' : '-';
  if (/^\s/.test(name)) {
    throw new Refusal(
      `${shown(text)} has a blank behind its sign; write one name a line, without YAML's dashes, such as arc-controller, or -arc-sb-plugin to leave one out`
    );
  }
  const folders = name.split('/').slice(0, -1);
  if (isPreReleaseRepository(folders.join('/'))) {
    throw new Refusal(
      `${shown(text)} leads to pre-release builds, which are mirrored by exact tag only; give their path in source-repository, and here the name alone`
    );
  }
  try {
    // A dot in what stands before the first slash makes it a host.
    if (folders[0]?.includes('.') !== true) return {sign, name: parseRepository(name)};
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
  }
  throw new Refusal(
    `${shown(text)} is not the name of an image: a lower-case name is wanted, one a line, without registry, tag or digest, such as arc-controller`
  );
}
