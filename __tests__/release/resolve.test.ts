import {describe, expect, test} from '@jest/globals';

import type {Log} from '../../src/log.ts';
import {ReleaseError} from '../../src/release/error.ts';
import {
  chartArtifact,
  type ImageSelection,
  refuseUntagged,
  resolveImages
} from '../../src/release/resolve.ts';
import {everyTag, stableReleases, trueSets} from './history.ts';

const newest = 'v1.46.0_2026-05-12';
const from = 'source.example/arcdata';
const newestSet = trueSets.get(newest) ?? [];
const ownSet: ImageSelection = {kind: 'release-set', add: [], remove: []};

interface Told {
  readonly notices: string[];
  readonly warnings: string[];
}

function listener(): Log & Told {
  const [notices, warnings]: [string[], string[]] = [[], []];
  return {
    notices,
    warnings,
    debug: () => undefined,
    info: () => undefined,
    notice: message => void notices.push(message),
    warning: message => void warnings.push(message),
    secret: () => undefined
  };
}

/** A source that has, under each tag, the images given for it. */
class Source {
  readonly asked: string[] = [];
  readonly images: ReadonlyMap<string, readonly string[]>;
  open = 0;
  mostOpen = 0;

  constructor(images: ReadonlyMap<string, readonly string[]>) {
    this.images = images;
  }

  readonly has = async (name: string, tag: string, signal: AbortSignal): Promise<boolean> => {
    signal.throwIfAborted();
    this.asked.push(`${name}:${tag}`);
    this.mostOpen = Math.max(this.mostOpen, ++this.open);
    await new Promise(resolve => setImmediate(resolve));
    this.open--;
    return this.images.get(tag)?.includes(name) ?? false;
  };

  /** Every name that it ever had, dead or alive, and some that are no images of Arc. */
  readonly siblings = (): Promise<readonly string[]> => {
    const names = [...this.images.values()].flat();
    return Promise.resolve([...new Set(names), 'preview/arc-sqlmi', 'mssql-ha-operator', 'arc-']);
  };
}

const history = () => new Source(trueSets);

function holding(names: readonly string[], tag = newest): Source {
  return new Source(new Map([...trueSets, [tag, names]]));
}

interface Asking {
  readonly tag?: string;
  readonly selection?: ImageSelection;
  readonly alone?: boolean;
  readonly log?: Log;
  readonly concurrency?: number;
  readonly looking?: boolean;
}

function resolve(source: Source, asking: Asking = {}) {
  const {tag = newest, selection = ownSet, alone = false, log = listener(), looking} = asking;
  return resolveImages({
    tag,
    from,
    selection,
    has: source.has,
    ...(!alone && {siblings: source.siblings}),
    log,
    ...(looking !== undefined && {looking}),
    signal: new AbortController().signal,
    concurrency: asking.concurrency ?? 8
  });
}

const change = (add: string[], remove: string[] = []): ImageSelection => ({
  kind: 'release-set',
  add,
  remove
});

const namesOf = (set: {images: readonly {name: string}[]}) => set.images.map(({name}) => name);

describe('the whole history, replayed', () => {
  test.each([...trueSets])('%s with a catalogue at the source', async (tag, expected) => {
    const log = listener();
    const set = await resolve(history(), {tag, log});
    expect(namesOf(set)).toEqual([...expected].sort());
    expect(set.missing).toEqual([]);
    expect(log).toMatchObject({notices: [], warnings: []});
  });

  test.each([...trueSets])('%s by the list alone', async (tag, expected) => {
    const set = await resolve(history(), {tag, alone: true});
    expect(namesOf(set)).toEqual([...expected].sort());
    expect(set.missing).toEqual([]);
  });

  test('nothing of one release is asked for under the tag of another', async () => {
    const source = history();
    for (const tag of stableReleases.filter(one => trueSets.has(one))) {
      source.asked.length = 0;
      await resolve(source, {tag});
      expect(source.asked.every(image => image.endsWith(`:${tag}`))).toBe(true);
      expect(new Set(source.asked).size).toBe(source.asked.length);
    }
  });

  test('a release whose list was never known is what carries its tag', async () => {
    const tag = 'v1.1.0_2021-11-02';
    expect(everyTag).toContain(tag);
    const held = [...(trueSets.get('v1.0.0_2021-07-30') ?? []), 'arc-surprise'];
    const set = await resolve(holding(held, tag), {tag});
    expect(namesOf(set)).toEqual([...held].sort());
    expect(set.missing).toEqual(['arc-ha-orchestrator']);
  });
});

describe('a release of the future', () => {
  const tag = 'v1.50.0_2027-03-09';
  const held = [...newestSet.filter(name => name !== 'arc-postgres-14'), 'arc-vector'];

  test('with one new and one dropped image is taken as it is', async () => {
    const log = listener();
    const set = await resolve(holding(held, tag), {tag, log});
    expect(namesOf(set)).toEqual([...held].sort());
    expect(set.missing).toEqual(['arc-postgres-14']);
    expect(set.images.find(({name}) => name === 'arc-vector')).toEqual({
      name: 'arc-vector',
      role: 'unlisted',
      tag
    });
    expect(log.notices).toEqual([
      `${tag} comes without arc-postgres-14: the source does not have them.`,
      `arc-vector is in no list but carries ${tag}: it is mirrored too.`
    ]);
  });

  test('loses the new one where the source has no catalogue, and says nothing untrue', async () => {
    const set = await resolve(holding(held, tag), {tag, alone: true});
    expect(namesOf(set)).toEqual(held.filter(name => name !== 'arc-vector').sort());
  });
});

describe('a release that is not whole at the source', () => {
  test('is refused, with every core image that is missing', async () => {
    const held = newestSet.filter(name => name !== 'arc-sqlmi' && name !== 'arc-controller-db');
    const failed = resolve(holding(held));
    await expect(failed).rejects.toThrow(ReleaseError);
    await expect(failed).rejects.toThrow(
      `${newest} is not whole at ${from}: arc-controller-db, arc-sqlmi are missing, and Arc does not run without them. Nothing was moved.`
    );
    await expect(failed).rejects.toThrow('leave an image out with -arc-controller-db -arc-sqlmi');
  });

  test('is taken without its optional and test-only images', async () => {
    const lost = ['arc-ci-launcher', 'arc-monitor-grafana', 'arc-postgres-14'];
    const set = await resolve(holding(newestSet.filter(name => !lost.includes(name))));
    expect(set.missing).toEqual(lost);
    expect(set.images).toHaveLength(newestSet.length - lost.length);
  });
});

describe('the input images', () => {
  test('+name must be there', async () => {
    const held = [...newestSet, 'arc-extra'];
    const set = await resolve(holding(held), {selection: change(['arc-extra']), alone: true});
    expect(set.images.find(({name}) => name === 'arc-extra')?.role).toBe('asked-for');
    const failed = resolve(history(), {selection: change(['arc-sqlmj'])});
    await expect(failed).rejects.toThrow(ReleaseError);
    await expect(failed).rejects.toThrow(
      `arc-sqlmj is named in images but is not at ${from} under ${newest}. Did you mean arc-sqlmi? Nothing was moved.`
    );
  });

  test('whoever only looks is not told that nothing was moved', async () => {
    const failed = resolve(history(), {selection: change(['arc-sqlmj']), looking: true});
    await expect(failed).rejects.toThrow(/Did you mean arc-sqlmi\?$/);
  });

  test('a name without any tag is told as that, with what may have been meant', () => {
    expect(refuseUntagged('arc-dnss', 'mcr.example/arcdata').message).toBe(
      'arc-dnss is named in images, but has no tags at mcr.example/arcdata. Did you mean arc-dns?'
    );
    expect(refuseUntagged('arc-dns', 'mcr.example/arcdat').message).toBe(
      'arc-dns is named in images, but has no tags at mcr.example/arcdat. Check images, source-registry and source-repository.'
    );
  });

  test('+name of an optional image makes it one that must be there', async () => {
    const held = newestSet.filter(name => name !== 'arc-postgres-14');
    await expect(resolve(holding(held), {selection: change(['arc-postgres-14'])})).rejects.toThrow(
      /arc-postgres-14 is named in images/
    );
    const set = await resolve(history(), {selection: change(['arc-postgres-14'])});
    expect(namesOf(set)).toEqual([...newestSet].sort());
    expect(set.images.find(({name}) => name === 'arc-postgres-14')?.role).toBe('optional');
  });

  test('core images and named ones that are missing are told together', async () => {
    const held = newestSet.filter(name => name !== 'arc-sqlmi');
    await expect(resolve(holding(held), {selection: change(['arc-extra'])})).rejects.toThrow(
      /arc-sqlmi is missing, and Arc does not run without it\. arc-extra is named in images/
    );
  });

  test('-name is not even asked for', async () => {
    const source = history();
    const log = listener();
    const set = await resolve(source, {selection: change([], ['arc-monitor-grafana']), log});
    expect(namesOf(set)).toEqual(newestSet.filter(name => name !== 'arc-monitor-grafana').sort());
    expect(set.missing).toEqual([]);
    expect(source.asked).not.toContain(`arc-monitor-grafana:${newest}`);
    expect(log.warnings).toEqual([]);
  });

  test('-name of an unlisted one keeps it out', async () => {
    const log = listener();
    const held = [...newestSet, 'arc-extra'];
    const set = await resolve(holding(held), {selection: change([], ['arc-extra']), log});
    expect(namesOf(set)).toEqual([...newestSet].sort());
    expect(log.warnings).toEqual([]);
  });

  test('-name of a core image is done, with a warning', async () => {
    const log = listener();
    const held = newestSet.filter(name => name !== 'arc-sqlmi');
    const set = await resolve(holding(held), {selection: change([], ['arc-sqlmi']), log});
    expect(namesOf(set)).not.toContain('arc-sqlmi');
    expect(log.warnings).toEqual([
      `${newest} is mirrored without arc-sqlmi, as images says: Arc does not run from these images alone.`
    ]);
  });

  test('-name that takes nothing away is told, unless other releases have it', async () => {
    const log = listener();
    // The second is of months long ago, and not at this source any more: one input may serve a range.
    const source = new Source(new Map([[newest, newestSet]]));
    await resolve(source, {selection: change([], ['arc-postgres-41', 'arc-kafka']), log});
    expect(log.warnings).toEqual([
      '-arc-postgres-41 in images takes nothing away: there is no such image. Did you mean -arc-postgres-14?'
    ]);
  });

  test('exactly these names: nothing is searched, all must be there', async () => {
    const source = holding([...newestSet, 'arc-extra']);
    const log = listener();
    const selection: ImageSelection = {kind: 'exactly', names: ['arc-sqlmi', 'arc-dns']};
    const set = await resolve(source, {selection, log});
    expect(set.images).toEqual([
      {name: 'arc-dns', role: 'optional', tag: newest},
      {name: 'arc-sqlmi', role: 'core', tag: newest}
    ]);
    expect(source.asked).toHaveLength(2);
    expect(log.notices[0]).toMatch(/is mirrored without arc-bootstrapper, arc-controller,/);
    await expect(
      resolve(source, {selection: {kind: 'exactly', names: ['arc-sqlmi', 'nothing']}})
    ).rejects.toThrow(`nothing is named in images but is not at ${from} under ${newest}.`);
  });

  test('a set of nothing is refused', async () => {
    for (const selection of [
      change([], [...newestSet]),
      {kind: 'exactly', names: []} satisfies ImageSelection
    ])
      await expect(resolve(history(), {selection})).rejects.toThrow(
        `The input images leaves nothing of ${newest} to mirror.`
      );
    const coreGone = change(
      [],
      newestSet.filter(name => name !== 'arc-dns')
    );
    await expect(resolve(holding([]), {selection: coreGone})).rejects.toThrow(/leaves nothing/);
  });
});

describe('the chart artifact', () => {
  test('is there when asked for, under its own tag', async () => {
    const source = new Source(new Map([...trueSets, ['1.46.0', [chartArtifact]]]));
    const set = await resolve(source, {selection: change([chartArtifact])});
    expect(set.images.find(({name}) => name === chartArtifact)).toEqual({
      name: chartArtifact,
      role: 'chart',
      tag: '1.46.0'
    });
    expect(namesOf(await resolve(source))).not.toContain(chartArtifact);
  });

  test('is refused where it is not, or where its version is not known', async () => {
    await expect(resolve(history(), {selection: change([chartArtifact])})).rejects.toThrow(
      `The chart ${chartArtifact}:1.46.0 is not at ${from}. Leave out chart`
    );
    await expect(
      resolve(history(), {tag: 'public-preview-jun-2021', selection: change([chartArtifact])})
    ).rejects.toThrow(/is not known\. Leave out chart/);
  });
});

describe('asking', () => {
  test.each([1, 3, 8])('never has more than %i questions open', async concurrency => {
    const source = history();
    await resolve(source, {concurrency});
    expect(source.mostOpen).toBe(concurrency);
  });

  test('stops at the first failure, and only then throws', async () => {
    const source = history();
    let ended = 0;
    const failed = resolveImages({
      from,
      tag: newest,
      selection: ownSet,
      has: async (name, tag, signal) => {
        if (name === 'arc-bootstrapper') throw new ReleaseError('the source is broken');
        try {
          return await source.has(name, tag, signal);
        } finally {
          ended++;
        }
      },
      log: listener(),
      signal: new AbortController().signal,
      concurrency: 4
    });
    await expect(failed).rejects.toThrow('the source is broken');
    expect(source.open).toBe(0);
    expect(ended).toBe(3);
  });

  test('ends when it is told to', async () => {
    const controller = new AbortController();
    controller.abort(new ReleaseError('enough'));
    const source = history();
    const options = {
      from,
      tag: newest,
      selection: ownSet,
      has: source.has,
      log: listener(),
      signal: controller.signal,
      concurrency: 4
    };
    await expect(resolveImages(options)).rejects.toThrow('enough');
    const siblings = () => Promise.reject(new ReleaseError('no catalogue'));
    await expect(resolveImages({...options, siblings})).rejects.toThrow('enough');
    expect(source.asked).toEqual([]);
  });

  test('goes on with the list when the catalogue cannot be had, and says so', async () => {
    const log = listener();
    const source = history();
    const set = await resolveImages({
      from,
      tag: newest,
      selection: ownSet,
      has: source.has,
      siblings: () => Promise.reject(new ReleaseError('500\nfrom the source')),
      log,
      signal: new AbortController().signal,
      concurrency: 4
    });
    expect(namesOf(set)).toEqual([...newestSet].sort());
    expect(log.warnings).toEqual([
      "The source's repositories cannot be listed, so images that are in no list are not looked for: 500 from the source"
    ]);
  });

  test('does not follow a catalogue without end', async () => {
    const log = listener();
    const source = history();
    const many = Array.from({length: 5000}, (_, at) => `arc-${at}`);
    await resolveImages({
      from,
      tag: newest,
      selection: ownSet,
      has: source.has,
      siblings: () => Promise.resolve(many),
      log,
      signal: new AbortController().signal,
      concurrency: 50
    });
    expect(source.asked).toHaveLength(newestSet.length + 1000);
    expect(log.warnings[0]).toMatch(/lists 5000 more names that begin with arc-/);
  });
});
