import type {Plan, PlannedRelease} from '../mirror/plan.ts';
import type {PlanFigures} from '../report/reporter.ts';
import type {ChosenRelease} from './releases.ts';

/** What the plan line says. */
export function figures(chosen: readonly ChosenRelease[], plan: Plan): PlanFigures {
  return {
    releases: chosen.map(({tag}) => tag),
    images: plan.images.length,
    blobsToCopy: plan.pieces,
    bytesToCopy: plan.bytes.copied,
    bytesToMount: plan.bytes.mounted,
    bytesPresent: plan.bytes.present
  };
}

/** The releases with the plan's images, in the same order. */
export function plannedReleases(
  chosen: readonly ChosenRelease[],
  {images}: Plan
): readonly PlannedRelease[] {
  const planned = new Map(images.map(one => [one.image, one]));
  return chosen.map(({tag, targetTag, missing, images: own}) => ({
    tag,
    targetTag,
    missing,
    images: own.flatMap(image => planned.get(image) ?? [])
  }));
}
