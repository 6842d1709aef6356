import type {Log} from '../log.ts';
import type {PlannedImage} from '../mirror/plan.ts';

/** So many are named; all of them stand in the plan of a dry run. */
const mostNamed = 5;

/**
 * Tells of tags that stand for other images than the source's now: what was published once is about to be
 * another image, which whoever keeps the registry must be able to see, and to go back from.
 */
export function tellMoves(images: readonly PlannedImage[], log: Log): void {
  const moves = images.flatMap(({image: {name, root, target}, standing: {tagged}}) => {
    const {digest} = root.descriptor;
    return tagged === undefined || tagged === digest
      ? []
      : [`${name}:${target.tag} from ${tagged} to ${digest}`];
  });
  if (moves.length === 0) return;
  const more = moves.length - mostNamed;
  log.warning(
    `${moves.length === 1 ? 'One tag stands' : `${moves.length} tags stand`} at the target for another image than the source's, and will be moved: ${moves.slice(0, mostNamed).join('; ')}${more > 0 ? `; and ${more} more` : ''}`
  );
}
