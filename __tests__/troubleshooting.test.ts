import {describe, expect, it} from '@jest/globals';

import manifest from '../package.json' with {type: 'json'};
import type {DockerFault} from '../src/docker/error.ts';
import {DockerError} from '../src/docker/error.ts';
import {failureOf, MirrorError, type MirrorFault} from '../src/mirror/error.ts';
import {type Fault, RegistryError} from '../src/registry/error.ts';
import {ReleaseError} from '../src/release/error.ts';
import {helpFor, helpOn, ownEntries} from '../src/report/help.ts';
import {anchorsIn, readSources, text} from './support/documents.ts';
import {spokenIn} from './support/spoken.ts';

const page = await text('docs/troubleshooting.md');
const sources = await readSources();
const headings = [...page.matchAll(/^### (.+)$/gm)].map(([, heading = '']) => heading);
const others = [...page.matchAll(/^Also (`.*?)\. /gms)].map(([, more = '']) => more);
const messages = [...headings, ...others].flatMap(line =>
  [...line.matchAll(/`([^`]+)`/g)].map(([, message = '']) => message.replaceAll('\n', ' '))
);

/** What of a message stands in the source: what differs, and statuses, are put in while it runs. */
const piecesOf = (message: string) =>
  message
    .split(/…|\b\d{3}\b/)
    .map(piece => piece.trim())
    .filter(piece => piece.length > 2);

// The compiler sees to it that none is left out.
const registryFaults: Readonly<Record<Fault, number>> = {
  address: 0,
  certificate: 0,
  proxy: 407,
  connection: 0,
  stalled: 0,
  unauthorized: 401,
  denied: 403,
  absent: 404,
  throttled: 429,
  server: 503,
  refused: 400,
  unsafe: 0,
  corrupt: 0
};
const dockerFaults: Readonly<Record<DockerFault, true>> = {
  missing: true,
  install: true,
  daemon: true,
  registry: true,
  timeout: true,
  space: true,
  config: true,
  failed: true
};
const mirrorFaults: Readonly<Record<MirrorFault, true>> = {
  source: true,
  request: true,
  half: true,
  docker: true
};

const keys = <T extends string>(all: Readonly<Record<T, unknown>>) => Object.keys(all) as T[];
const errors = [
  ...keys(registryFaults).map(
    fault =>
      new RegistryError(fault, 'x', {
        host: 'r.example',
        ...(registryFaults[fault] > 0 && {status: registryFaults[fault]})
      })
  ),
  ...[200, 404, 405, 409, 412, 413, 423, 507].map(
    status => new RegistryError('refused', 'x', {host: 'r.example', status})
  ),
  ...keys(dockerFaults).map(fault => new DockerError(fault, 'x')),
  ...keys(mirrorFaults).map(fault => new MirrorError('x', undefined, {fault})),
  new ReleaseError('x')
];
const links = new Map(
  errors.map(error => {
    const failure = failureOf(error);
    return [`${failure.kind ?? ''} ${failure.status ?? ''}`.trim(), helpFor(failure) ?? ''];
  })
);

describe('the entries', () => {
  it('are there, each with a message', () => {
    expect(headings.length).toBeGreaterThan(60);
    expect(headings.filter(heading => !heading.startsWith('`'))).toEqual([]);
  });

  it.each(messages)('have their messages from the source: %s', message => {
    const pieces = piecesOf(message);
    expect(pieces).not.toHaveLength(0);
    const having = sources.filter(({code}) => pieces.every(piece => code.includes(piece)));
    expect(having.map(({path}) => path)).not.toEqual([]);
  });
});

describe('links from a failure', () => {
  it.each([...links])('%s leads to an entry: %s', (_, link) => {
    const [, anchor] = link.split('#');
    expect(anchorsIn(page).filter(one => one === anchor)).toEqual([anchor]);
  });

  it.each(['EndedError', 'InputError', 'OciError', 'Difference', 'ReportError'])(
    '%s leads to an entry',
    kind => {
      const [, anchor] = helpOn(kind).split('#');
      expect(anchorsIn(page)).toContain(anchor);
    }
  );

  it.each(ownEntries)('%s has an entry that holds its words: %s', (words, anchor) => {
    expect(anchorsIn(page)).toContain(anchor);
    expect(page).toMatch(words);
  });

  it('lead to the page of this major version', () => {
    const [major] = manifest.version.split('.');
    expect(helpOn('nothing known')).toBe(
      `https://github.com/arcdata-mirror/arcdata-mirror/blob/v${major ?? ''}/docs/troubleshooting.md`
    );
  });

  it('are not made up where nothing is known', () => {
    expect(helpFor({message: 'It was not reached.'})).toBeUndefined();
    expect(failureOf(new RangeError('x')).kind).toBe('RangeError');
    expect(helpOn('constructor')).not.toContain('#');
  });

  it('use every anchor that is written out', () => {
    const written = [...page.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id);
    const used = [
      ...links.values(),
      ...['EndedError', 'OciError', 'Difference', 'ReportError'].map(one => helpOn(one)),
      ...ownEntries.map(([, entry]) => `#${entry}`)
    ];
    expect(written).toHaveLength(new Set(written).size);
    expect(written.filter(id => !used.some(link => link.endsWith(`#${id}`)))).toEqual([]);
  });
});

describe('every class of error', () => {
  /** Those that end no run by themselves, and why. */
  const inner: Readonly<Record<string, string>> = {
    ArgumentsError: 'says what is known, and how to see all flags',
    CancelledError: 'the user ended a question; there is nothing to look up',
    DemoError: 'an answer of the embedded registry',
    HelperError: 'becomes a RegistryError, or a warning',
    Closed: 'becomes a RegistryError',
    Late: 'becomes a RegistryError',
    Interruption: 'the embedded registry breaks off on purpose',
    ProcessError: 'becomes a DockerError or a HelperError',
    Refusal: 'becomes a problem of an InputError',
    ProxyUnreached: 'becomes a RegistryError',
    UsageError: 'says what is known, and how to see all flags'
  };
  const classes = sources.flatMap(({code}) =>
    [...code.matchAll(/class (\w+) extends \w*Error\b/g)].map(([, name = '']) => name)
  );

  it('is known here', () => {
    expect(classes).toEqual(expect.arrayContaining(['RegistryError', 'EndedError', 'Closed']));
  });

  it.each(classes)('%s has an entry, or ends no run', name => {
    const entries = [name, ...links.keys()].filter(
      kind => kind.startsWith(name) && helpOn(kind.split(' ')[0] ?? '').includes('#')
    );
    expect(entries.length > 0).toBe(inner[name] === undefined);
  });
});

describe('every warning and notice', () => {
  const spoken = sources.flatMap(({path, code}) =>
    path.startsWith('demo/') ? [] : spokenIn(path, code)
  );
  /** Put together elsewhere: where, and what it can be. */
  const elsewhere: Readonly<Record<string, string>> = {
    '<selection.reason>': 'that there is nothing newer; it has an entry',
    '<ended>': 'a certificate that has expired; it has an entry',
    '<note>': 'that newest: asks for more than there is; it has an entry',
    '<warning>': 'support and gaps, of the hand-over; they have entries',
    '<message>': 'the parameter of warnOnce, whose callers are looked at',
    '<safe(message)>': 'the log itself'
  };
  // A word or two could be in anything.
  const known = messages.map(piecesOf).filter(pieces => pieces.join(' ').length > 5);

  it('is found', () => {
    expect(spoken.length).toBeGreaterThan(30);
    expect(
      spoken.filter(({message}) => message.startsWith('<') && elsewhere[message] === undefined)
    ).toEqual([]);
  });

  it.each(spoken.filter(({message}) => !message.startsWith('<')))(
    '$path has an entry: $message',
    ({message}) => {
      const entries = known.filter(pieces => pieces.every(piece => message.includes(piece)));
      expect(entries).not.toEqual([]);
    }
  );
});
