import data from './companions.json' with {type: 'json'};
import {compareVersions, parseReleaseTag} from './tag.ts';

/** What belongs to a release beside its images. What is not known is absent. */
export interface Companions {
  /** Version of the `arcdata` extension of the Azure CLI; an older one refuses the release. */
  readonly cli?: string;
  /** Version of the helm chart, also the tag of the chart artifact `arcdataservices-extension`. */
  readonly chart?: string;
}

// As the version log prints them, without the remarks around the numbers. Where it names two, the
// one for the release itself is here: v1.1.0 came with chart 1.1.17561007, the other is a stepping
// stone for those who upgrade from v1.0.0. The log's row of v1.29.0 repeats the chart of v1.28.0;
// the CLI's own table and the rule say 1.29.0, so that stands here.
const known: Readonly<Record<string, Companions>> = data.releases;

/** From this release on the chart's version follows the release's: 1.N.0. */
const chartRule = {major: 1, minor: 11, patch: 0};

/** The tags of all releases that were known when this code was written, oldest first. */
export const knownReleases: readonly string[] = Object.keys(known);

/**
 * CLI and chart version of a release. For a release that is not in the table the chart follows from
 * its number, and the CLI version is not known. Undefined when nothing is known.
 */
export function companions(tag: string): Companions | undefined {
  if (Object.hasOwn(known, tag)) return known[tag];
  const release = parseReleaseTag(tag);
  if (release?.major !== chartRule.major || release.patch !== 0) return undefined;
  if (compareVersions(release, chartRule) < 0) return undefined;
  return {chart: `${release.major}.${release.minor}.0`};
}
