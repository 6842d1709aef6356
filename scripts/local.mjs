// Runs the action's source as a step of a workflow would be run, without a runner: main part, post part,
// then the outputs and where the summary is.
//
//   npm run local              with the settings in .env (see .env.example)
//   npm run local -- FILE      with those in another file
//
// Node 24 reads the TypeScript as it is; for an older one it is bundled first.
import {spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import {mkdtemp, readdir, readFile, stat, writeFile} from 'node:fs/promises';
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

/** Whether a file is there and nothing below `folders` has changed since it was written. */
async function isFresh(file, folders) {
  if (!existsSync(file)) return false;
  const below = folders.map(async folder =>
    (await readdir(folder, {recursive: true})).map(name => join(folder, name))
  );
  const changed = (await Promise.all(below)).flat().map(async name => (await stat(name)).mtimeMs);
  return (await stat(file)).mtimeMs > Math.max(...(await Promise.all(changed)));
}

async function entry() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return 'src/index.ts';
  const folder = join('node_modules', '.cache', 'local');
  const bundle = join(folder, 'index.js');
  if (await isFresh(bundle, ['src'])) return bundle;
  const ncc = join('node_modules', '@vercel', 'ncc', 'dist', 'ncc', 'cli.js');
  const build = ['build', 'src/index.ts', '--quiet', '--out', folder];
  const code = await run(process.execPath, [ncc, ...build], process.env);
  if (code !== 0) process.exit(code ?? 1);
  return bundle;
}

const program = await entry();
const temp = await mkdtemp(join(tmpdir(), 'arcdata-mirror-local-'));
const files = {};
for (const name of ['OUTPUT', 'STATE', 'STEP_SUMMARY', 'ENV', 'PATH']) {
  files[`GITHUB_${name}`] = join(temp, name.toLowerCase().replace('_', '-'));
  await writeFile(files[`GITHUB_${name}`], '');
}
const runner = {RUNNER_TEMP: temp, GITHUB_WORKSPACE: process.cwd(), ...files};
// As with `node --env-file`, what is set already counts more.
const env = {...parseEnv(await readFile(settings, 'utf8')), ...process.env, ...runner};

process.exitCode = (await run(process.execPath, [program], env)) ?? 1;
const state = read(await readFile(files.GITHUB_STATE, 'utf8'));
const saved = Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]);
await run(process.execPath, [program], {...env, ...Object.fromEntries(saved)});

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
