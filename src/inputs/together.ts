import {choosesPreRelease, takesOtherName} from '../release/channel.ts';
import {couldBeSeveral, type TagRequest} from '../release/request.ts';
import {chartArtifact} from '../release/resolve.ts';
import {type Checks, shown} from './checks.ts';
import {dockerCannot, noCharts} from './docker-cannot.ts';
import type {Endpoint, ImageSelection} from './settings.ts';

/** What was read of inputs that depend on one another; absent where it could not be read. */
interface Read {
  readonly source: Endpoint | undefined;
  readonly target: Endpoint | undefined;
  readonly tags: readonly TagRequest[];
  readonly images: ImageSelection;
  readonly targetTag: string | undefined;
  readonly keepLogin: boolean | undefined;
}

/** Notes what is wrong not with an input by itself but with several together. */
export function checkTogether(
  checks: Checks,
  {source, target, tags, images, targetTag, keepLogin}: Read
): void {
  if (source && target && sameSide(source, target)) {
    checks.refuse(
      'target-repository',
      `source and target are the same, ${target.registry}/${target.repository}; a mirror wants another place to go to`,
      {together: true}
    );
  }
  if (target && target.repository.split('/').at(-1) !== 'arcdata') {
    checks.tell(
      'notice',
      'target-repository',
      `${shown(target.repository)} does not end in arcdata; older Arc tools look for the images there and nowhere else`
    );
  }
  const choosing =
    source && choosesPreRelease({sourceRepository: source.repository, requests: tags});
  if (choosing !== undefined) checks.refuse('source-tag', choosing, {together: true});
  if (targetTag !== undefined) checkTargetTag(checks, tags, targetTag, target?.repository);
  const byDocker = checks.text('engine') === 'docker';
  if ((byDocker || keepLogin === true) && source && target && twoAccounts(source, target)) {
    checks.refuse(
      'source-username',
      `source and target are both at ${target.registry}, with two accounts; docker keeps one for each registry, so ${byDocker ? 'engine: docker' : 'keep-login'} wants the same on both sides`,
      {together: true}
    );
  }
  if (!byDocker) return;
  for (const {input, value, message} of dockerCannot) {
    if ((checks.text(input) ?? '').toLowerCase() === value)
      checks.refuse(input, message, {together: true});
  }
  if ((images.kind === 'exactly' ? images.names : images.add).includes(chartArtifact))
    checks.refuse('images', `${chartArtifact} ${noCharts}`, {together: true});
}

function sameSide(source: Endpoint, target: Endpoint): boolean {
  return source.registry === target.registry && source.repository === target.repository;
}

function twoAccounts(source: Endpoint, target: Endpoint): boolean {
  if (source.registry !== target.registry) return false;
  if (source.username === undefined || target.username === undefined) return false;
  return source.username !== target.username || source.password !== target.password;
}

function checkTargetTag(
  checks: Checks,
  tags: readonly TagRequest[],
  targetTag: string,
  targetRepository = ''
): void {
  const several = tags.find(couldBeSeveral);
  if (several !== undefined || tags.length > 1) {
    const asked = several === undefined ? `${tags.length} lines` : shown(several.text);
    checks.refuse(
      'target-tag',
      `${shown(targetTag)} can name one release only, and source-tag asks for ${asked}; leave target-tag out, then each release keeps its own tag`,
      {together: true}
    );
    return;
  }
  const [only] = tags;
  const same = only?.kind === 'exact' && only.tag === targetTag;
  const other =
    only?.kind === 'exact' && takesOtherName({tag: only.tag, targetTag, targetRepository});
  if (typeof other === 'string') {
    checks.refuse('target-tag', other, {together: true});
    return;
  }
  if (only !== undefined && !same) {
    checks.tell(
      'warning',
      'target-tag',
      `Arc tools expect a release under the tag it has at the source; ${shown(targetTag)} is used all the same`
    );
  }
}
