import {execFile} from 'node:child_process';
import {mkdir, symlink, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {seedRelease} from '../../src/demo/sample.ts';
import {dockerCannot} from '../../src/inputs/docker-cannot.ts';
import {allHostile, logFindings} from '../support/oracle-injection.ts';
import {Job, type StepEnd} from '../support/step.ts';

const tag = 'v1.46.0_2026-05-12';
type Inputs = Readonly<Record<string, string>>;

/** What is wrong, the input that must be named, and words of the rule. */
interface Mistake {
  readonly what: string;
  readonly inputs: Inputs;
  readonly input: string;
  readonly rule: string;
  /** What must not be shown. */
  readonly unshown?: string;
}

const long = 'a'.repeat(129);

const mistakes: readonly Mistake[] = [
  // Registries. Their other rules are tested where they are made; here stands one of each kind.
  {
    what: 'plain http',
    inputs: {'target-registry': 'http://a.example'},
    input: 'target-registry',
    rule: 'insecure-registries'
  },
  {
    what: 'a path in the registry',
    inputs: {'target-registry': 'a.example/v2/'},
    input: 'target-registry',
    rule: 'a.example/v2'
  },
  {
    what: 'a blank in the registry',
    inputs: {'target-registry': 'a .example'},
    input: 'target-registry',
    rule: 'a .example'
  },
  {
    what: 'a login in the registry',
    inputs: {'target-registry': 'me:sesame-7@a.example'},
    input: 'target-registry',
    rule: 'user name or password',
    unshown: 'sesame-7'
  },
  {
    what: 'port 0',
    inputs: {'source-registry': 'a.example:0'},
    input: 'source-registry',
    rule: 'port'
  },
  {
    what: 'port 65536',
    inputs: {'source-registry': 'a.example:65536'},
    input: 'source-registry',
    rule: 'port'
  },
  {
    what: 'a query',
    inputs: {'source-registry': 'a.example?x'},
    input: 'source-registry',
    rule: 'a.example?x'
  },
  {
    what: 'Cyrillic letters',
    inputs: {'source-registry': '\u0430cr.io'},
    input: 'source-registry',
    rule: '\u0430cr.io'
  },
  {
    what: 'two lines',
    inputs: {'source-registry': 'a.example\nb.example'},
    input: 'source-registry',
    rule: 'one'
  },
  {
    what: 'no target registry',
    inputs: {'target-registry': ''},
    input: 'target-registry',
    rule: 'required'
  },
  {
    what: 'an odd plain host',
    inputs: {'insecure-registries': 'a b'},
    input: 'insecure-registries',
    rule: 'a b'
  },
  // Repositories.
  {
    what: 'no target repository',
    inputs: {'target-repository': ''},
    input: 'target-repository',
    rule: 'required'
  },
  {
    what: 'capitals',
    inputs: {'target-repository': 'Team/arcdata'},
    input: 'target-repository',
    rule: 'lower'
  },
  {
    what: 'a way up',
    inputs: {'target-repository': '../arcdata'},
    input: 'target-repository',
    rule: '../arcdata'
  },
  {
    what: 'an empty part',
    inputs: {'target-repository': 'a//arcdata'},
    input: 'target-repository',
    rule: 'a//arcdata'
  },
  {
    what: 'three underscores',
    inputs: {'source-repository': 'a___b'},
    input: 'source-repository',
    rule: 'a___b'
  },
  {
    what: 'too long a repository',
    inputs: {'target-repository': `${'a/'.repeat(120)}arcdata`},
    input: 'target-repository',
    rule: '255'
  },
  {
    what: 'the same place',
    inputs: {'target-registry': '{source}'},
    input: 'target-repository',
    rule: 'the same'
  },
  // Tags.
  {what: 'a tag with a blank', inputs: {'source-tag': 'v1 46'}, input: 'source-tag', rule: 'v1 46'},
  {
    what: 'a range the wrong way round',
    inputs: {'source-tag': '1.43..1.40'},
    input: 'source-tag',
    rule: '1.43..1.40'
  },
  {
    what: 'newest of none',
    inputs: {'source-tag': 'newest:0'},
    input: 'source-tag',
    rule: 'newest:0'
  },
  {
    what: 'a target tag that is too long',
    inputs: {'source-tag': tag, 'target-tag': long},
    input: 'target-tag',
    rule: '128'
  },
  {
    what: 'a target tag with a colon',
    inputs: {'source-tag': tag, 'target-tag': 'a:b'},
    input: 'target-tag',
    rule: 'a:b'
  },
  {
    what: 'a target tag for several releases',
    inputs: {'source-tag': '1.40..', 'target-tag': 'mine'},
    input: 'target-tag',
    rule: 'one release'
  },
  // Credentials.
  {
    what: 'no password',
    inputs: {'target-username': 'me'},
    input: 'target-password',
    rule: 'missing'
  },
  {
    what: 'no user name',
    inputs: {'target-password': 'sesame-7'},
    input: 'target-username',
    rule: 'missing',
    unshown: 'sesame-7'
  },
  {
    what: 'a colon in the user name',
    inputs: {'target-username': 'me:sesame-7', 'target-password': 'x1y2z3'},
    input: 'target-username',
    rule: 'colon',
    unshown: 'sesame-7'
  },
  {
    what: 'two lines in the password',
    inputs: {'target-username': 'me', 'target-password': 'sesame\nopen-7'},
    input: 'target-password',
    rule: 'one line',
    unshown: 'open-7'
  },
  {
    what: 'a password of blanks',
    inputs: {'target-username': 'me', 'target-password': '    '},
    input: 'target-password',
    rule: 'blanks'
  },
  // Scalars.
  ...['0', '-1', '1.5', '1e2', 'abc', 'NaN', 'Infinity', '٣', '999999'].map(value => ({
    what: `concurrency ${value}`,
    inputs: {concurrency: value},
    input: 'concurrency',
    rule: '1 to 64'
  })),
  ...['0', '10m', '2881'].map(value => ({
    what: `timeout ${value}`,
    inputs: {timeout: value},
    input: 'timeout',
    rule: 'minutes'
  })),
  ...['yes', '1', 'maybe', 'tRUE'].map(value => ({
    what: `dry-run ${value}`,
    inputs: {'dry-run': value},
    input: 'dry-run',
    rule: value
  })),
  {what: 'an unknown engine', inputs: {engine: 'podman'}, input: 'engine', rule: 'registry'},
  // Images.
  {
    what: 'an image in capitals',
    inputs: {images: 'arc-dns\nArc-SQLMI'},
    input: 'images',
    rule: 'Arc-SQLMI'
  },
  {
    what: 'names and changes at once',
    inputs: {images: 'arc-dns\n-arc-sqlmi'},
    input: 'images',
    rule: '-arc-sqlmi'
  },
  {
    what: 'a line of a megabyte',
    inputs: {images: 'x'.repeat(100_000)},
    input: 'images',
    rule: 'at most'
  },
  // Files.
  {
    what: 'no such CA file',
    inputs: {'ca-file': 'none.pem'},
    input: 'ca-file',
    rule: 'does not exist'
  },
  {
    what: 'a CA folder',
    inputs: {'ca-file': 'folder'},
    input: 'ca-file',
    rule: 'not a regular file'
  },
  {
    what: 'a CA file that is none',
    inputs: {'ca-file': 'text.pem'},
    input: 'ca-file',
    rule: 'no PEM certificate'
  },
  {what: 'an empty CA file', inputs: {'ca-file': 'empty.pem'}, input: 'ca-file', rule: 'empty'},
  {
    what: 'a CA file out of the workspace',
    inputs: {'ca-file': '../home/ca.pem'},
    input: 'ca-file',
    rule: 'workspace'
  },
  {
    what: 'a pipe for a CA file',
    inputs: {'ca-file': 'pipe'},
    input: 'ca-file',
    rule: 'not a regular file'
  },
  {
    what: 'a link to a pipe',
    inputs: {'ca-file': 'link.pem'},
    input: 'ca-file',
    rule: 'not a regular file'
  },
  {
    what: 'a lock file in no folder',
    inputs: {'lock-file': 'none/lock.json'},
    input: 'lock-file',
    rule: 'does not exist'
  },
  {
    what: 'a folder for a lock file',
    inputs: {'lock-file': 'folder'},
    input: 'lock-file',
    rule: 'folder'
  },
  {
    what: 'a lock file out of the workspace',
    inputs: {'lock-file': '../lock.json'},
    input: 'lock-file',
    rule: 'workspace'
  },
  // Docker.
  {
    what: 'a docker version without checksum',
    inputs: {'docker-version': '29.6.2'},
    input: 'docker-sha256',
    rule: 'missing'
  },
  // What does not go together.
  ...dockerCannot.map(({input, value}) => ({
    what: `the docker engine with ${input}`,
    inputs: {engine: 'docker', [input]: value},
    input,
    rule: 'engine: docker'
  }))
];

describe('in-any bad input', () => {
  let source: EmbeddedRegistry;
  let target: EmbeddedRegistry;
  let job: Job;
  let good: Inputs;

  beforeAll(async () => {
    source = await EmbeddedRegistry.start();
    target = await EmbeddedRegistry.start();
    seedRelease(source.store, 'arcdata', {tag, scale: 0.1});
    good = {
      'source-registry': source.name,
      'target-registry': target.name,
      'target-repository': 'arcdata',
      'insecure-registries': `${source.name}\n${target.name}`
    };
    job = await Job.begin();
    const at = (name: string) => join(job.workspace, name);
    await mkdir(at('folder'));
    await writeFile(at('text.pem'), 'not a certificate\n');
    await writeFile(at('empty.pem'), '');
    await promisify(execFile)('mkfifo', [at('pipe')]);
    await symlink(at('pipe'), at('link.pem'));
  });

  afterAll(async () => {
    for (const one of [job, source, target]) await one[Symbol.asyncDispose]();
  });

  const filled = (inputs: Inputs): Inputs =>
    Object.fromEntries(
      Object.entries(inputs).map(([name, value]) => [name, value.replace('{source}', source.name)])
    );

  const problemsOf = ({commands}: StepEnd) =>
    commands
      .filter(({name}) => name === 'error')
      .flatMap(({data}) => data.split('\n'))
      .filter(line => line.startsWith('- '))
      .map(line => line.slice(2));

  // Several at once: starting Node is most of the work.
  const ends = new Map<Mistake, StepEnd>();
  beforeAll(async () => {
    const left = [...mistakes];
    const worker = async () => {
      for (let one = left.pop(); one !== undefined; one = left.pop())
        ends.set(one, await job.run({...good, ...filled(one.inputs)}));
    };
    await Promise.all([worker(), worker(), worker()]);
  }, 120_000);

  test.each(mistakes)('$what: $input is named, with the rule', mistake => {
    const end = ends.get(mistake);
    if (end === undefined) throw new Error('it did not run');
    const {input, rule, unshown} = mistake;
    expect(end.exitCode).toBe(1);
    const problems = problemsOf(end);
    expect(problems).toEqual([expect.any(String)]);
    expect(problems[0]?.startsWith(`${input}: `) ? input : problems[0]).toBe(input);
    expect(problems[0]).toContain(rule);
    expect(problems[0]?.length).toBeLessThan(800);
    // One error, and no stack of a program that fell over.
    expect(end.commands.filter(({name}) => name === 'error')).toHaveLength(1);
    expect(end.stdout + end.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    expect(end.stderr).toBe('');
    // No output but what is documented; nothing to clean up.
    expect(end.outputs).toEqual({});
    const shown = end.stdout.split('\n').filter(line => !line.startsWith('::add-mask::'));
    expect(shown.filter(line => unshown !== undefined && line.includes(unshown))).toEqual([]);
  });

  test('all mistakes are told together', async () => {
    const end = await job.run({
      'source-registry': 'http://a.example',
      'target-username': 'me',
      'source-tag': 'newest:0',
      concurrency: '0',
      'dry-run': 'perhaps',
      images: 'A',
      'ca-file': 'none.pem'
    });
    expect(end.exitCode).toBe(1);
    const named = problemsOf(end).map(line => line.slice(0, line.indexOf(':')));
    expect(new Set(named)).toEqual(
      new Set([
        ...['source-registry', 'target-registry', 'target-repository', 'target-password'],
        ...['source-tag', 'concurrency', 'dry-run', 'images', 'ca-file']
      ])
    );
    expect(named).toHaveLength(9);
    // Where people look first.
    for (const name of named) expect(end.summary).toContain(`- ${name}: `);
    expect(end.summary).toContain('#inputs)');
  });

  test('log-commands what a user pastes cannot command the runner', async () => {
    const names = ['source-registry', 'target-repository', 'source-tag', 'target-tag', 'engine'];
    const end = await job.run({
      ...good,
      ...Object.fromEntries(names.map(name => [name, allHostile.replaceAll('\u0000', '')]))
    });
    expect(end.exitCode).toBe(1);
    expect(problemsOf(end).length).toBeGreaterThanOrEqual(names.length);
    const masks = end.commands.filter(({name}) => name === 'add-mask').map(({data}) => data);
    expect(logFindings(end.stdout + end.stderr, masks)).toEqual([]);
  });

  test('a misspelt input is told of with the right name', async () => {
    const end = await job.run({...good, 'target-regsitry': 'x.example', concurrency: '0'});
    const warnings = end.commands.filter(({name}) => name === 'warning').map(({data}) => data);
    expect(warnings.join('\n')).toMatch(/target-regsitry.*target-registry/);
  });

  test('the script’s variables are held to the same rules, under their names', async () => {
    const end = await job.run(
      {'insecure-registries': good['insecure-registries'] ?? ''},
      {
        variables: {
          SOURCE_DOCKER_REGISTRY: source.name,
          SOURCE_DOCKER_TAG: 'newest:0',
          TARGET_DOCKER_REGISTRY: target.name,
          TARGET_DOCKER_REPOSITORY: 'Team'
        }
      }
    );
    expect(end.exitCode).toBe(1);
    const problems = problemsOf(end);
    expect(problems).toHaveLength(2);
    expect(problems.join('\n')).toContain('SOURCE_DOCKER_TAG');
    expect(problems.join('\n')).toContain('TARGET_DOCKER_REPOSITORY');
  });

  test('the program for a terminal ends with 2', async () => {
    const flags = ['--source-registry', source.name, '--insecure-registries', source.name];
    const end = await job.cli([...flags, '--concurrency', '0', '--target-repository', 'A', '--yes'])
      .end;
    expect(end.exitCode).toBe(2);
    for (const name of ['--concurrency', '--target-repository', 'target-registry'])
      expect(end.stderr).toContain(name);
    expect(end.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    const unknown = await job.cli(['--concurency', '3']).end;
    expect(unknown.exitCode).toBe(2);
    expect(unknown.stderr).toContain('--concurrency');
  });

  test('the program for a terminal tells at once what it finds in several places', async () => {
    const password = await job.cli(['--target-password-stdin', '--concurrency=0', '--yes']).end;
    expect(password.exitCode).toBe(2);
    expect(password.stderr).toMatch(/standard input is empty.*\n--concurrency: /);
    const other = await job.cli(['verify', '--against=bad.json', '--dry-run', '--timeout=0']).end;
    expect(other.exitCode).toBe(2);
    expect(other.stderr).toMatch(/^verify has no use for --dry-run.*\n--against: .*\n--timeout: /);
  });

  test('the program for a terminal says that there is none to ask on', async () => {
    const [asked, told] = [await job.cli(['--json']).end, await job.cli(['--json', '--yes']).end];
    expect([asked.exitCode, told.exitCode]).toEqual([2, 2]);
    expect([asked.stdout, told.stdout]).toEqual(['', '']);
    expect(asked.stderr).toContain('target-registry: is required');
    expect(asked.stderr).toContain('There is no terminal to ask on');
    expect(told.stderr).not.toContain('no terminal');
  });

  test('no registry was even connected to in all that', () => {
    expect([source.connections, target.connections]).toEqual([0, 0]);
  });
});
