import {mkdir, mkdtemp, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterAll, beforeAll, describe, expect, it} from '@jest/globals';
import {parse} from 'yaml';

import manifest from '../package.json' with {type: 'json'};
import {inputTable, isInputName} from '../src/inputs/table.ts';
import {
  blocksIn,
  type Called,
  readDocuments,
  stepsOf,
  text,
  whole,
  type Workflow
} from './support/documents.ts';
import {shellStep} from './support/shell-step.ts';

const examples = blocksIn(await readDocuments(), 'yaml');
const folder = '.github/workflows';
const workflows = await Promise.all(
  (await readdir(folder)).map(async name => {
    const content = await text(join(folder, name));
    return {name, content, workflow: parse(content) as Workflow};
  })
);

function workflow(name: string): Workflow {
  const found = workflows.find(one => one.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found.workflow;
}

const callOf = (name: string) => (workflow(name).on as {workflow_call: Called}).workflow_call;

let temporary = '';
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'workflows-'));
});
afterAll(async () => {
  await rm(temporary, {recursive: true, force: true});
});

describe('V16 our workflows', () => {
  it.each(workflows)('$name pins every action by commit', ({content}) => {
    const uses = [...content.matchAll(/^\s*(?:- )?uses: (.+)$/gm)].map(([, action = '']) => action);
    expect(uses).not.toHaveLength(0);
    const loose = uses.filter(
      action => !/^(?:[\w-]+(?:\/[\w-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\.\/.*)$/.test(action)
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

  it.each(workflows)('$name has no permissions but those of its jobs', ({workflow}) => {
    expect(workflow.permissions).toEqual({});
    const jobs = Object.entries(workflow.jobs);
    expect(jobs.filter(([, job]) => job.permissions === undefined)).toEqual([]);
  });

  it('write only where that is the purpose', () => {
    const writing = workflows.flatMap(({name, workflow}) =>
      Object.entries(workflow.jobs).flatMap(([job, {permissions}]) =>
        Object.entries(permissions as Record<string, string>)
          .filter(([, right]) => right === 'write')
          .map(([scope]) => `${name} ${job}: ${scope}`)
      )
    );
    expect(writing.sort()).toEqual([
      'catalogue.yml report: issues',
      'codeql.yml analyze: security-events',
      'mirror.yml report: issues',
      'release.yml build: attestations',
      'release.yml build: id-token',
      'release.yml publish: contents'
    ]);
  });

  it.each(workflows)('$name gives every job an end, and a name', ({workflow}) => {
    for (const job of Object.values(workflow.jobs)) {
      // A job that calls a workflow has the ends of that one's jobs.
      expect(typeof job['timeout-minutes']).toBe(job.uses === undefined ? 'number' : 'undefined');
      expect(typeof job.name).toBe('string');
    }
  });

  it.each(workflows)('$name keeps no credentials', ({workflow}) => {
    const checkouts = stepsOf(workflow).filter(({uses = ''}) =>
      uses.startsWith('actions/checkout@')
    );
    expect(checkouts.map(step => step.with?.['persist-credentials'])).toEqual(
      checkouts.map(() => false)
    );
  });

  it.each(workflows)('$name puts nothing into a shell but by way of env', ({workflow}) => {
    const scripts = stepsOf(workflow).flatMap(({run = ''}) => run);
    expect(scripts.filter(script => script.includes('${{'))).toEqual([]);
  });

  it.each(workflows)('$name pins images by digest', ({content}) => {
    const images = [...content.matchAll(/^\s*image: (.+)$/gm)].map(([, image = '']) => image);
    expect(images.filter(image => !/@sha256:[0-9a-f]{64}$/.test(image))).toEqual([]);
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

  it.each(['reusable.yml', 'sharded.yml'])('offer in %s the defaults of the code', name => {
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
    // A mirror that is whole in the end is no failure to whoever calls.
    expect(jobs.shard?.['continue-on-error']).toBe(true);
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

describe.each(['reusable.yml', 'sharded.yml'])('the lock file of %s', name => {
  const steps = stepsOf(workflow(name));

  // One run may call it for two registries, and no two artifacts of a run have one name.
  it.each([
    ['myregistry.azurecr.io/arcdata', 'myregistry.azurecr.io-arcdata'],
    ['localhost:5000/team/arcdata', 'localhost-5000-team-arcdata'],
    ['a.example/x\nartifact=evil', 'a.example-x-artifact-evil']
  ])('of %j is kept under a name of its own', async (TARGET, end) => {
    const output = join(temporary, 'lock-output');
    await writeFile(output, '');
    const script = steps.find(({name}) => name === 'Name the lock file after the target')?.run;
    await shellStep(script ?? 'exit 1', {
      ...{temporary, variables: {TARGET, GITHUB_OUTPUT: output}}
    });
    expect(await text(output)).toBe(`artifact=arcdata-mirror-lock-${end}\n`);
    const upload = steps.find(({uses = ''}) => uses.startsWith('actions/upload-artifact@'));
    expect(upload?.with?.name).toBe('${{ steps.lock.outputs.artifact }}');
  });
});

describe('the issue of a failing mirror', () => {
  const [step] = workflow('mirror.yml').jobs.report?.steps ?? [];
  const gh = `if [ "$2" = list ]; then printf '%s' "$OPEN"; else echo "$1 $2 $3" >> "$CALLS"; fi`;

  it.each([
    ['failure', '', 'issue create --title\n'],
    ['failure', '7', 'issue comment 7\n'],
    ['cancelled', '', 'issue create --title\n'],
    ['success', '7', 'issue close 7\n'],
    ['success', '', '']
  ])('%s, open issue "%s": %j', async (RESULT, OPEN, calls) => {
    const RUN = 'https://example.com/run';
    const end = await shellStep(step?.run ?? 'exit 1', {
      temporary,
      programs: {gh},
      variables: {OPEN, RESULT, TITLE: 'title', RUN}
    });
    expect(end).toMatchObject({exitCode: 0, calls});
  });

  it('is the same in the example that people copy', () => {
    const copies = examples
      .map(({body}) => (parse(whole(body)) as Workflow).jobs.report)
      .filter(job => job !== undefined);
    expect(copies.map(({permissions, steps}) => ({permissions, steps}))).toEqual([
      {permissions: {contents: 'read', issues: 'write'}, steps: [step]}
    ]);
  });
});

describe('the issue of the catalogue', () => {
  const steps = stepsOf(workflow('catalogue.yml'));

  const step = (
    name: string,
    programs: Readonly<Record<string, string>>,
    variables: Readonly<Record<string, string>>
  ) =>
    shellStep(steps.find(one => one.name === name)?.run ?? 'exit 1', {
      ...{temporary, programs, variables}
    });

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
    await expect(update(difference, open)).resolves.toMatchObject({exitCode: 0, calls});
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
    await expect(compare('exit 1')).resolves.toMatchObject({exitCode: 1});
  });

  it('is written by a job that does nothing else', () => {
    const {jobs} = workflow('catalogue.yml');
    expect(Object.entries(jobs).map(([name, job]) => [name, job.permissions])).toEqual([
      ['compare', {contents: 'read'}],
      ['report', {contents: 'read', issues: 'write'}]
    ]);
    const scripts = steps.flatMap(({run: script}) => script ?? []);
    expect(scripts).toHaveLength(2);
    expect(scripts.filter(script => script.includes('${{'))).toEqual([]);
  });
});

describe('the release', () => {
  const {jobs} = workflow('release.yml');
  const script = (name: string) =>
    stepsOf(workflow('release.yml')).find(step => step.name === name)?.run ?? 'exit 1';

  it('checks what every change has to hold to', () => {
    expect(jobs.check?.uses).toBe('./.github/workflows/ci.yml');
    expect(workflow('ci.yml').on).toHaveProperty('workflow_call');
    expect(jobs.build).toMatchObject({needs: 'check'});
    expect(jobs.publish).toMatchObject({needs: 'build'});
  });

  it('writes to the repository from a job that runs nothing of it', () => {
    const {steps = []} = jobs.publish ?? {};
    expect(steps.map(({uses = 'gh'}) => uses.split('@')[0])).toEqual([
      ...['actions/download-artifact', 'gh', 'gh']
    ]);
  });

  it.each([
    [`v${manifest.version}`, 0],
    ['v0.0.1', 1]
  ])('of %s ends with %d where the tag is not the version', async (TAG, exitCode) => {
    const end = await shellStep(script('The tag is the version of package.json'), {
      ...{temporary, variables: {TAG}}
    });
    expect(end.exitCode).toBe(exitCode);
  });

  it('has the notes of its version from the changelog, and does without none', async () => {
    const cwd = join(temporary, 'notes');
    await mkdir(cwd);
    await writeFile(
      join(cwd, 'CHANGELOG.md'),
      '# Changelog\n\n## [Unreleased]\n\nNothing.\n\n## [1.2.0] - 2026-11-26\n\n### Added\n\n- This.\n\n## [1.1.0]\n'
    );
    const notes = async (TAG: string) => {
      await rm(join(cwd, 'release'), {recursive: true, force: true});
      const name = 'What has changed is in the changelog';
      const {exitCode} = await shellStep(script(name), {temporary, cwd, variables: {TAG}});
      return {exitCode, notes: await text(join(cwd, 'release', 'notes.md'))};
    };
    expect(await notes('v1.2.0')).toEqual({exitCode: 0, notes: '\n### Added\n\n- This.\n\n'});
    expect(await notes('v1.1.0')).toMatchObject({exitCode: 1});
    expect(await notes('v1.2')).toMatchObject({exitCode: 1});
  });

  it('has a part of the changelog for the version that there is', async () => {
    expect(await text('CHANGELOG.md')).toContain(`## [${manifest.version}]`);
  });

  const sha = 'ab'.repeat(20);
  it.each([
    [
      'the first of its major',
      'v2.0.0',
      ['v2.0.0'],
      false,
      `--method POST repos/o/r/git/refs -f ref=refs/tags/v2 -f sha=${sha}`
    ],
    [
      'a newer one',
      'v1.10.0',
      ['v1.2.0', 'v1.9.3', 'v1.10.0'],
      true,
      `--method PATCH repos/o/r/git/refs/tags/v1 -f sha=${sha} -F force=true`
    ],
    ['a fix of an older one', 'v1.9.4', ['v1.9.3', 'v1.9.4', 'v1.10.0'], true, undefined]
  ])('moves the major tag with %s', async (_, TAG, tags, there, wanted) => {
    const major = TAG.split('.')[0] ?? '';
    // What gh would print after its --jq.
    const gh = [
      'case "$*" in',
      `  *matching-refs/tags/${major}.*) ${tags.map(tag => `echo refs/tags/${tag}`).join('; ')} ;;`,
      `  *matching-refs/tags/${major}*) ${there ? `echo refs/tags/${major}` : ':'} ;;`,
      `  *commits/${TAG}*) echo ${sha} ;;`,
      '  *) echo "$*" >> "$CALLS" ;;',
      'esac'
    ].join('\n');
    const end = await shellStep(script('Move the major tag'), {
      temporary,
      programs: {gh},
      variables: {TAG, GH_REPO: 'o/r'}
    });
    expect(end).toMatchObject({exitCode: 0, calls: wanted === undefined ? '' : `api ${wanted}\n`});
  });
});
