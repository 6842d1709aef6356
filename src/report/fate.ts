import type {ImageResult} from '../mirror/result.ts';

import {plural} from './lines.ts';

/** What docker made of one image, behind its status; empty where it is as it was at the source. */
export function fateMark({throughDocker, platforms}: ImageResult): string {
  if (throughDocker === undefined || throughDocker.fate === 'kept') return '';
  const {fate, platform} = throughDocker;
  const parts = [
    ...(fate === 'rewritten' ? ['digest rewritten'] : []),
    ...(fate === 'one-platform' || platforms.length > 0 ? [`${platform} only`] : [])
  ];
  return parts.join(', ');
}

/** What docker made of all images; undefined where none went through it. */
export function fateSentence(images: readonly ImageResult[]): string | undefined {
  const through = images.filter(({throughDocker}) => throughDocker !== undefined);
  if (through.length === 0) return undefined;
  const count = (fate: string) =>
    through.filter(({throughDocker}) => throughDocker?.fate === fate).length;
  const cut = through.filter(
    image => image.throughDocker?.fate !== 'kept' && image.platforms.length > 0
  );
  const only = [...new Set(cut.map(({throughDocker}) => throughDocker?.platform ?? ''))].sort();
  return [
    `Through the docker daemon: ${plural(count('kept'), 'digest')} kept, ${count('rewritten')} rewritten`,
    ...(cut.length === 0
      ? []
      : [
          `of ${plural(cut.length, 'image')} for several platforms only ${only.join(' and ')} travelled`
        ])
  ].join('; ');
}

/** Whether source and target have the same digest, as they do unless docker changed it. */
export function keepsDigest(fate: string | undefined): boolean {
  return fate === undefined || fate === 'kept';
}
