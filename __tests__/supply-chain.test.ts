import {execFile} from 'node:child_process';
import {mkdtemp, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {promisify} from 'node:util';

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';
import {parse} from 'yaml';

import lock from '../package-lock.json' with {type: 'json'};
import manifest from '../package.json' with {type: 'json'};
import {text} from './support/documents.ts';
import {programOnPath} from './support/program.ts';

const run = promisify(execFile);
const bundles = ['dist', join('dist', 'cli')];

/** What only the packages of a scope bring along, by the lock file. */
function onlyFor(scope: string): ReadonlySet<string> {
  const others = reachedFrom(name => !name.startsWith(scope));
  return new Set(
    [...reachedFrom(name => name.startsWith(scope))].filter(name => !others.has(name))
  );
}

/** The packages that these of our own dependencies bring along, themselves included. */
function reachedFrom(wanted: (name: string) => boolean): ReadonlySet<string> {
  const packages = lock.packages as Readonly<Record<string, {readonly dependencies?: object}>>;
  const reached = new Set<string>();
  const queue = Object.keys(manifest.dependencies).filter(wanted);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    queue.push(...Object.keys(packages[`node_modules/${name}`]?.dependencies ?? {}));
  }
  return reached;
}

let temporary = '';
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'supply-chain-'));
});
afterAll(async () => {
  await rm(temporary, {recursive: true, force: true});
});

/** A module as webpack tells of it; one that holds others has them in `modules`. */
interface Module {
  readonly nameForCondition?: string | null;
  readonly modules?: readonly Module[];
}

/** The packages whose files are in a bundle. */
function packagesOf(modules: readonly Module[]): readonly string[] {
  const names = modules.flatMap(({nameForCondition, modules: inner = []}) => {
    const path = (nameForCondition ?? '').split('node_modules/').at(-1) ?? '';
    const [first = '', second = ''] = path.split('/');
    const name = first.startsWith('@') ? `${first}/${second}` : first;
    const own = (nameForCondition ?? '').includes('node_modules/') ? [name] : [];
    return [...own, ...packagesOf(inner)];
  });
  return [...new Set(names)].sort();
}

/** A licences file by package: its name stands alone above its licence's name and text. */
function licencesIn(content: string): ReadonlyMap<string, string> {
  const parts = content.split(/^(?=(?:@[a-z0-9-]+\/)?[a-z0-9][a-z0-9.-]*\n)/m);
  return new Map(
    parts.map(part => {
      const [name = '', ...lines] = part.split('\n');
      return [name, lines.join('\n').trim()];
    })
  );
}

describe('V16 dist/', () => {
  test('holds two bundles with their licences, and nothing beside them', async () => {
    const files = await readdir('dist', {recursive: true});
    expect(files.map(name => name.replaceAll('\\', '/')).sort()).toEqual([
      ...['cli', 'cli/index.js', 'cli/licenses.txt', 'cli/package.json'],
      ...['index.js', 'licenses.txt', 'package.json']
    ]);
  });

  test('has the licence of every package that is in a bundle, with its text', async () => {
    // Both in one, since building takes its time.
    const entry = join(temporary, 'both.mjs');
    const stats = join(temporary, 'stats.json');
    const sources = ['src/index.ts', 'src/cli.ts'].map(path => resolve(path));
    await writeFile(entry, sources.map(path => `import ${JSON.stringify(path)};\n`).join(''));
    await run(process.execPath, [
      join('node_modules', '@vercel', 'ncc', 'dist', 'ncc', 'cli.js'),
      ...['build', entry, '--quiet', '--out', join(temporary, 'both'), '--stats-out', stats]
    ]);
    const {modules} = JSON.parse(await text(stats)) as {modules: readonly Module[]};
    const packages = packagesOf(modules);
    expect(packages.length).toBeGreaterThan(20);
    const [action, cli] = await Promise.all(
      bundles.map(async dist => licencesIn(await text(join(dist, 'licenses.txt'))))
    );
    // A terminal is asked questions, and a runner is spoken to; all else is in both.
    for (const [licences, other] of [
      [action, '@inquirer/'],
      [cli, '@actions/']
    ] as const) {
      const without = onlyFor(other);
      expect(without.size).toBeGreaterThan(3);
      expect([...(licences?.keys() ?? [])].sort()).toEqual(
        packages.filter(name => !without.has(name))
      );
    }
    const all = [...(action ?? []), ...(cli ?? [])];
    expect(all.filter(([, licence]) => licence.length < 500)).toEqual([]);
  }, 180_000);
});

describe('the bill of materials', () => {
  interface Component {
    readonly name: string;
    readonly version: string;
    readonly purl: string;
    readonly hashes?: readonly unknown[];
    readonly licenses?: readonly unknown[];
  }
  interface Bill {
    readonly bomFormat: string;
    readonly metadata: {readonly component: {readonly name: string; readonly version: string}};
    readonly components: readonly Component[];
  }
  let bill: Bill;

  beforeAll(async () => {
    const path = join(temporary, 'sbom.json');
    await run(process.execPath, ['scripts/sbom.mjs', path]);
    bill = JSON.parse(await text(path)) as Bill;
  }, 60_000);

  test('is of this version', () => {
    expect(bill).toMatchObject({
      bomFormat: 'CycloneDX',
      metadata: {component: {name: manifest.name, version: manifest.version}}
    });
  });

  test('names every package that is in a bundle', async () => {
    const licences = await Promise.all(bundles.map(dist => text(join(dist, 'licenses.txt'))));
    const bundled = licences.flatMap(content => [...licencesIn(content).keys()]);
    const named = bill.components.map(({name}) => name);
    expect(bundled.filter(name => !named.includes(name))).toEqual([]);
  });

  test('names no package of development, and each with version, licence and checksum', () => {
    const named = bill.components.map(({name}) => name);
    const development = Object.keys(manifest.devDependencies);
    expect(development.filter(name => named.includes(name))).toEqual([]);
    for (const {name, version, purl, hashes = [], licenses = []} of bill.components) {
      expect(purl).toBe(`pkg:npm/${name.replace('@', '%40')}@${version}`);
      expect({name, hashes: hashes.length, licences: licenses.length}).toEqual({
        ...{name, hashes: 1, licences: 1}
      });
    }
  });
});

describe('what watches over it', () => {
  test('Dependabot waits before it suggests what is new', async () => {
    const {updates} = parse(await text('.github/dependabot.yml')) as {
      updates: readonly {'package-ecosystem': string; cooldown?: {'default-days'?: number}}[];
    };
    expect(updates.map(one => [one['package-ecosystem'], one.cooldown?.['default-days']])).toEqual([
      ['github-actions', 7],
      ['npm', 7]
    ]);
  });

  test('CodeQL looks at the source and at the workflows', async () => {
    const {jobs} = parse(await text('.github/workflows/codeql.yml')) as {
      jobs: {
        analyze: {
          strategy: {matrix: {language: readonly string[]}};
          steps: readonly {uses: string; with?: Readonly<Record<string, unknown>>}[];
        };
      };
    };
    const {strategy, steps} = jobs.analyze;
    expect(strategy.matrix.language).toEqual(['javascript-typescript', 'actions']);
    const init = steps.find(({uses}) => uses.startsWith('github/codeql-action/init@'));
    expect(init?.with).toMatchObject({'build-mode': 'none'});
  });

  test('zizmor looks at the workflows in CI', async () => {
    expect(await text('.github/workflows/ci.yml')).toContain('zizmor --offline --persona pedantic');
  });

  // It comes from another registry than the rest, so it is not everywhere: CI has a job of its own for it.
  const zizmor = programOnPath('zizmor');

  (zizmor === undefined ? describe.skip : describe)('zizmor', () => {
    test('has nothing to say of them', async () => {
      const words = ['--offline', '--persona', 'pedantic', '--color', 'never', '.github'];
      const {stdout} = await run(zizmor ?? '', words).catch(
        (error: unknown) => error as {stdout: string}
      );
      expect(stdout).toMatch(/^No findings to report/);
    });
  });
});
