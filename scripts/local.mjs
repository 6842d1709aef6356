// Runs the action's source as a step of a workflow would be run, without a runner: main part, post part,
// then the outputs and where the summary is.
//
//   npm run local              with the settings in .env (see .env.example)
//   npm run local -- FILE      with those in another file
//
// Node 24 reads the TypeScript as it is; for an older one swc takes the types out.
import {spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import {mkdtemp, readFile, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import process from 'node:process';
import {parseEnv} from 'node:util';

const [settings = '.env'] = process.argv.slice(2);
if (!existsSync(settings)) {
  process.stderr.write(`There is no ${settings}: copy .env.example to it, and fill it in.\n`);
  process.exit(2);
}

/** Runs a program that shares this terminal; Ctrl-C is for it to heed. */
function run(file, args, env) {
  return new Promise((resolve, reject) => {
    spawn(file, args, {env, stdio: 'inherit'}).once('error', reject).once('close', resolve);
  });
}
process.on('SIGINT', () => undefined);

/** `name<<end`, lines, `end`: as the action writes its outputs and its state. */
function read(text) {
  const found = text.matchAll(/^([^\n]+?)<<(\S+)\n(.*?)\n?^\2$/gms);
  return Object.fromEntries([...found].map(([, name, , value]) => [name, value]));
}

/** Flags that let Node read TypeScript. */
function flags() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return [];
  const hooks = new URL('typescript-hooks.mjs', import.meta.url).href;
  const code = `import {register} from 'node:module'; register(${JSON.stringify(hooks)});`;
  return ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
}

const program = [...flags(), 'src/index.ts'];
const temp = await mkdtemp(join(tmpdir(), 'arcdata-mirror-local-'));
const files = {};
for (const name of ['OUTPUT', 'STATE', 'STEP_SUMMARY', 'ENV', 'PATH']) {
  files[`GITHUB_${name}`] = join(temp, name.toLowerCase().replace('_', '-'));
  await writeFile(files[`GITHUB_${name}`], '');
}
const runner = {RUNNER_TEMP: temp, GITHUB_WORKSPACE: process.cwd(), ...files};
// As with `node --env-file`, what is set already counts more.
const env = {...parseEnv(await readFile(settings, 'utf8')), ...process.env, ...runner};

process.exitCode = (await run(process.execPath, program, env)) ?? 1;
const state = read(await readFile(files.GITHUB_STATE, 'utf8'));
const saved = Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]);
await run(process.execPath, program, {...env, ...Object.fromEntries(saved)});

const outputs = Object.entries(read(await readFile(files.GITHUB_OUTPUT, 'utf8')));
process.stdout.write(
  [
    '',
    outputs.length === 0 ? 'No outputs were set.' : 'Outputs:',
    ...outputs.map(([name, value]) => `  ${name}=${value}`),
    `Summary: ${files.GITHUB_STEP_SUMMARY}`,
    ''
  ].join('\n')
);
