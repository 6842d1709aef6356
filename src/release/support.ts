import {type CalendarDate, parseReleaseTag} from './tag.ts';

/** How many days before its end of support a release is called near it: about two releases. */
const nearDays = 60;

/** How long a release is supported, seen from a given day. */
export interface Support {
  /** The last day of support, as `yyyy-mm-dd`. */
  readonly lastDay: string;
  /** Days from now to that day; 0 on it, negative behind it. */
  readonly daysLeft: number;
  readonly state: 'supported' | 'near-end' | 'ended';
}

const dayLength = 24 * 60 * 60 * 1000;

/**
 * A release is supported for one year from the date in its tag: that of 2022-06-06 through
 * 2023-06-05. `now` is taken as a day in UTC. Undefined for tags that are not a stable release's.
 * @see https://learn.microsoft.com/azure/azure-arc/data/upgrade-overview#supported-versions
 */
export function supportOf(tag: string, now: Date): Support | undefined {
  const release = parseReleaseTag(tag);
  if (!release) return undefined;
  const last = lastDayOf(release.date);
  const today = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate());
  const daysLeft = Math.round((last - today) / dayLength);
  const state = daysLeft < 0 ? 'ended' : daysLeft <= nearDays ? 'near-end' : 'supported';
  return {lastDay: new Date(last).toISOString().slice(0, 10), daysLeft, state};
}

// In milliseconds since 1970, at midnight UTC. The 29th of February ends on the 28th.
function lastDayOf({year, month, day}: CalendarDate): number {
  return Date.UTC(year + 1, month - 1, day - 1);
}
