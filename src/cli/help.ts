import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {type InputName, type InputRow, inputTable} from '../inputs/table.ts';
import {wrap} from '../report/wrap.ts';
import {ownFlags, ownValues} from './arguments.ts';
import {runnerOnly} from './misplaced.ts';

/** The column at which meanings begin. */
const column = 30;

const commands = {
  mirror: 'Mirror a release: plan, copy, verify, publish, report. The same without a command.',
  demo: 'Mirror a small sample release between two registries on this machine.',
  verify:
    'Check that the target has the release whole, equal to the source or a lock file; change nothing.',
  help: 'Show this text.',
  version: 'Show the version.'
};

/**
 * What `--help` shows: commands, every flag with its meaning, default and variable, exit codes.
 * @param width - of the terminal, in characters
 */
export function helpText(width = 100): string {
  const wide = Math.max(60, Math.min(width, 120));
  const sections = [
    'Mirrors a release of the Azure Arc-enabled data services images to a private registry:\nwhole, verified, each byte once.',
    'Usage: arcdata-mirror [command] [flags]',
    section('Commands', Object.entries(commands), wide),
    section(
      'What to mirror, and how',
      inputTable.filter(({form}) => form !== 'secret').map(row => [flag(row), about(row)]),
      wide
    ),
    section(
      'Passwords (never as flags: other users of the machine could read them)',
      inputTable
        .filter(({form}) => form === 'secret')
        .map(({meaning, variable}) => [variable ?? '', meaning]),
      wide
    ),
    section(
      'This program',
      Object.entries(ownFlags).map(([name, meaning]) => [
        [`--${name}`, ownValues.get(name) ?? ''].join(' ').trimEnd(),
        meaning
      ]),
      wide
    ),
    'On a terminal, what is missing is asked for. Lists repeat their flag or take commas:\n  --source-tag 1.45,1.46   --images=-arc-sb-plugin',
    'Exit codes: 0 done, 1 failed, 2 wrong usage, 130 cancelled.\n  Of verify: 0 whole and equal, 1 not.'
  ];
  return `${sections.join('\n\n')}\n`;
}

function flag({name, form}: InputRow): string {
  if (form !== 'boolean') return `--${name} ${placeholder[form]}`;
  return `--[no-]${name}`;
}

const placeholder = {
  text: 'TEXT',
  tag: 'TAG',
  secret: 'TEXT',
  list: 'LIST',
  minutes: 'MINUTES',
  number: 'NUMBER',
  path: 'FILE'
} as const;

/** What a flag takes, where its meaning alone does not tell. */
const forms: Readonly<Partial<Record<InputName, string>>> = {
  'source-tag':
    'latest, a tag such as v1.46.0_2026-05-12, a version such as 1.46, a range such as 1.40..1.43 or 1.40.., newest:3, or catch-up',
  images:
    "names alone are mirrored and nothing else is; +name adds to the release's own set, -name takes away from it"
};

/** Defaults that are others on a terminal. */
const here: Readonly<Partial<Record<InputName, string>>> = {
  'lock-file': `${join(tmpdir(), 'arcdata-mirror.lock.json')}, which the next run writes anew`
};

function about({name, meaning, default: value, ...row}: (typeof inputTable)[number]): string {
  const {variable} = row;
  const otherwise = here[name] ?? row.otherwise;
  const notes = [
    ...(forms[name] === undefined ? [] : [forms[name]]),
    ...(runnerOnly.has(name) ? ['in workflows only'] : []),
    ...(value !== undefined ? [`default: ${value}`] : []),
    ...(otherwise !== undefined ? [`default: ${otherwise}`] : []),
    ...(variable !== undefined ? [`or ${variable}`] : [])
  ];
  return notes.length === 0 ? meaning : `${meaning} (${notes.join('; ')})`;
}

function section(
  title: string,
  rows: readonly (readonly [string, string])[],
  width: number
): string {
  return [`${title}:`, ...rows.flatMap(([left, right]) => lines(left, right, width))].join('\n');
}

/** A term and its meaning, broken between words, the term above where it is too long. */
function lines(term: string, meaning: string, width: number): readonly string[] {
  const head = `  ${term}`;
  const broken = wrap(meaning, width - column);
  const body = broken.map(text => ' '.repeat(column) + text);
  if (head.length + 2 > column) return [head, ...body];
  const [first = ''] = broken;
  return [head.padEnd(column) + first, ...body.slice(1)];
}
