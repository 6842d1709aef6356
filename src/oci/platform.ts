import {clean} from './clean.ts';

/** What an image runs on, as an index says it of a child. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** `linux/arm64/v8` */
export function formatPlatform({os, architecture, variant}: Platform): string {
  return clean([os, architecture, ...(variant === undefined ? [] : [variant])].join('/'), 100);
}
