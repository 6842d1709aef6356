import type {Options} from './options.ts';
import type {Phase} from './phase.ts';
import type {Profile} from './session.ts';

/** One measurement: some tools, side by side, in one situation. */
export interface Series {
  readonly profile: Profile;
  readonly scale: number;
  readonly phase: Phase;
  /** The names of the tools that run in every round. */
  readonly tools: readonly string[];
  /** The names of those that run in the first round only: slow, or there for the picture. */
  readonly once: readonly string[];
  readonly rounds: number;
}

/** The names by which a series asks for its tools. */
export const us = 'arcdata-mirror';

const full: readonly Omit<Series, 'rounds'>[] = [
  {
    ...{profile: 'link', scale: 100, phase: 'cold'},
    tools: [us, 'floor -P16', 'crane -P4', 'crane -P16', 'oras -P16'],
    once: ['oras -P4', 'regsync', 'skopeo sync', 'docker']
  },
  {
    ...{profile: 'link', scale: 100, phase: 'unchanged'},
    tools: [us, 'crane -P4', 'crane -P16', 'oras -P16'],
    once: ['regsync']
  },
  {
    ...{profile: 'link', scale: 100, phase: 'next'},
    tools: [us, 'crane -P16', 'oras -P16'],
    once: ['regsync']
  },
  {
    ...{profile: 'link', scale: 100, phase: 'rebuilt'},
    tools: [us, 'crane -P16', 'oras -P16'],
    once: []
  },
  {
    ...{profile: 'link', scale: 100, phase: 'killed'},
    tools: [],
    once: [us, 'crane -P4']
  },
  {
    ...{profile: 'loopback', scale: 1000, phase: 'cold'},
    tools: [us, 'floor -P8', 'skopeo sync'],
    once: ['crane -P4', 'oras -P4', 'regsync']
  },
  {
    ...{profile: 'loopback', scale: 1000, phase: 'unchanged'},
    tools: [us, 'crane -P4'],
    once: []
  }
];

/** Medians need three. */
const usualRounds = 3;

/** What to measure, in its order. */
export function seriesOf(options: Options): readonly Series[] {
  const rounds = options.rounds ?? (options.quick ? 1 : usualRounds);
  const base = options.quick
    ? full
        .filter(({profile}) => profile === 'link')
        .map(series => ({...series, tools: [us, 'crane -P4'], once: []}))
    : full;
  const fits = <T>(chosen: readonly T[], value: T) => chosen.length === 0 || chosen.includes(value);
  // A scale or phase that is in no series but asked for by name is measured all the same.
  const wanted = [...base, ...unusual(base, options)];
  return wanted
    .filter(
      ({profile, scale, phase}) =>
        fits(options.profiles, profile) &&
        fits(options.scales, scale) &&
        fits(options.phases, phase)
    )
    .map(series => ({...series, rounds, ...choose(series, options)}))
    .filter(({tools, once}) => tools.length + once.length > 0);
}

function unusual(
  base: readonly Omit<Series, 'rounds'>[],
  {profiles, phases, scales}: Options
): readonly Omit<Series, 'rounds'>[] {
  if (profiles.length === 0) return [];
  return profiles.flatMap(profile => {
    const usual = profile === 'link' ? [100] : [1000];
    return (scales.length === 0 ? usual : scales).flatMap(scale =>
      phases
        .filter(
          phase =>
            !base.some(one => one.profile === profile && one.scale === scale && one.phase === phase)
        )
        .map(phase => {
          const like =
            full.find(one => one.profile === profile && one.phase === phase) ??
            full.find(one => one.phase === phase);
          return {profile, scale, phase, tools: like?.tools ?? [us], once: like?.once ?? []};
        })
    );
  });
}

/** Other tools that can be asked for by their whole name. */
const others = ['crane -P1', 'oras -P1', 'skopeo -P4', 'skopeo -P16', 'skopeo sync', 'docker'];

/** Whoever asks for a tool by name wants it in every round, and in every situation. */
function choose(
  {tools, once}: Pick<Series, 'tools' | 'once'>,
  {only}: Options
): Pick<Series, 'tools' | 'once'> {
  if (only.length === 0) return {tools, once};
  const names = only.map(word => (word === 'ours' ? us : word));
  const usual = [...tools, ...once].filter(name => names.some(word => name.startsWith(word)));
  const asked = others.filter(name => names.includes(name));
  return {tools: [...new Set([...usual, ...asked])], once: []};
}
