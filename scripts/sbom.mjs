// Writes the bill of materials of what dist/ is made of, in the form of CycloneDX.
//
//   node scripts/sbom.mjs sbom.cdx.json
//
// `npm sbom --omit dev` leaves out what a development dependency needs too, though dist/ may hold it.
// So npm is shown a package without development dependencies, and a lock file that was cut to it.
import {execFile} from 'node:child_process';
import {copyFile, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import process from 'node:process';
import {promisify} from 'node:util';

const run = promisify(execFile);
const read = async path => JSON.parse(await readFile(path, 'utf8'));

/** The names in a licences file of ncc: each stands alone on a line above its licence. */
async function bundled(path) {
  const lines = (await readFile(path, 'utf8')).split('\n');
  return lines.filter(line => /^(?:@[a-z0-9-]+\/)?[a-z0-9][a-z0-9.-]*$/.test(line));
}

/** The bill of a package as npm writes it, from the lock file alone. */
async function billOf(shipped, folder) {
  // npm calls the whole by the name of its folder.
  const cwd = join(folder, shipped.name);
  await mkdir(cwd, {recursive: true});
  await writeFile(join(cwd, 'package.json'), JSON.stringify(shipped));
  await copyFile('package-lock.json', join(cwd, 'package-lock.json'));
  const npm = (...words) =>
    run('npm', words, {cwd, maxBuffer: 64 * 1024 * 1024, shell: process.platform === 'win32'});
  await npm('install', '--package-lock-only', '--offline', '--ignore-scripts', '--no-audit');
  const {stdout} = await npm(
    ...['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application']
  );
  return JSON.parse(stdout);
}

const [path] = process.argv.slice(2);
if (path === undefined) {
  process.stderr.write('Usage: node scripts/sbom.mjs FILE\n');
  process.exit(2);
}

const temporary = await mkdtemp(join(tmpdir(), 'sbom-'));
try {
  const shipped = await read('package.json');
  delete shipped.devDependencies;
  let bill = await billOf(shipped, temporary);
  // A package may take what happens to be there, and so the bundle too: debug looks for
  // supports-color. That is named as well.
  const names = new Set(bill.components.map(({name}) => name));
  const found = await Promise.all(['dist/licenses.txt', 'dist/cli/licenses.txt'].map(bundled));
  const unasked = [...new Set(found.flat())].filter(name => !names.has(name));
  if (unasked.length > 0) {
    const {packages} = await read('package-lock.json');
    for (const name of unasked)
      shipped.dependencies[name] = packages[`node_modules/${name}`].version;
    bill = await billOf(shipped, temporary);
  }
  await writeFile(path, `${JSON.stringify(bill, undefined, 2)}\n`);
  process.stdout.write(`${path}: ${bill.components.length} packages\n`);
} finally {
  await rm(temporary, {recursive: true, force: true});
}
