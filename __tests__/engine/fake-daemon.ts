import {docker} from '../docker/fake.ts';

/** How a fake daemon is. */
export interface FakeDaemon {
  /** The classic store packs anew, containerd's keeps manifests. Default classic. */
  readonly store?: 'classic' | 'containerd';
  /** What it does before it does what it should; ends with `process.exit` or falls through. */
  readonly before?: string;
  readonly version?: string;
}

/**
 * A docker with a daemon that really pulls and pushes, over plain http and with the accounts of its
 * DOCKER_CONFIG; its images lie in HOME. Of an index it takes linux/amd64.
 */
export function fakeDaemon({store = 'classic', before = '', version}: FakeDaemon = {}): string {
  return docker(
    `
const crypto = require('node:crypto');
const types = ['docker.distribution.manifest.v2', 'docker.distribution.manifest.list.v2', 'oci.image.manifest.v1', 'oci.image.index.v1'].map(name => 'application/vnd.' + name + '+json').join(', ');
const home = env.HOME + '/daemon';
fs.mkdirSync(home, {recursive: true});
const fileOf = name => home + '/' + encodeURIComponent(name);
const has = name => fs.existsSync(fileOf(name));
const load = name => JSON.parse(fs.readFileSync(fileOf(name), 'utf8'));
const save = (name, image) => fs.writeFileSync(fileOf(name), JSON.stringify(image));
const part = name => { const [, host, repository, reference] = /^([^/]+)\\/([^@:]+)[@:](.+)$/.exec(name); return {host, reference, base: 'http://' + host + '/v2/' + repository}; };
const configFile = env.DOCKER_CONFIG + '/config.json';
const auths = () => fs.existsSync(configFile) ? JSON.parse(fs.readFileSync(configFile, 'utf8')).auths ?? {} : {};
const fail = text => { console.error(text); process.exit(1); };
const ask = async (host, url, init = {}) => {
  const auth = auths()[host]?.auth;
  const answer = await fetch(url, {...init, redirect: 'manual', headers: {...init.headers, ...(auth && {Authorization: 'Basic ' + auth})}});
  if (answer.status >= 400 && answer.status !== 404) fail('Error response from daemon: ' + url + ': status: ' + answer.status + (answer.status === 401 ? ' no basic auth credentials' : ''));
  return answer;
};
const digestOf = bytes => 'sha256:' + crypto.createHash('sha256').update(bytes).digest('hex');
(async () => {
${before}
const name = args.at(-1);
const command = args[0] === 'image' ? args[1] : args[0];
if (command === 'info') console.log(JSON.stringify({ServerVersion: '28.2.2', Driver: 'overlay2', DockerRootDir: env.HOME, OSType: 'linux', Architecture: 'x86_64', DriverStatus: ${store === 'containerd' ? `[['driver-type', 'io.containerd.snapshotter.v1']]` : '[]'}}));
else if (command === 'login') {
  const auth = Buffer.from(args[args.indexOf('--username') + 1] + ':' + stdin).toString('base64');
  const answer = await fetch('http://' + name + '/v2/', {headers: {Authorization: 'Basic ' + auth}});
  if (answer.status !== 200) fail('Error response from daemon: login attempt to http://' + name + '/v2/ failed with status: 401 Unauthorized');
  const config = fs.existsSync(configFile) ? JSON.parse(fs.readFileSync(configFile, 'utf8')) : {};
  config.auths = {...config.auths, [name]: {auth}};
  fs.mkdirSync(env.DOCKER_CONFIG, {recursive: true});
  fs.writeFileSync(configFile, JSON.stringify(config, undefined, '\\t'));
} else if (command === 'logout') {
  const config = JSON.parse(fs.readFileSync(configFile, 'utf8'));
  delete config.auths[name];
  fs.writeFileSync(configFile, JSON.stringify(config, undefined, '\\t'));
} else if (command === 'inspect') {
  if (!has(name)) fail('Error: No such image: ' + name);
  console.log(JSON.stringify(load(name)));
} else if (command === 'pull') {
  const {host, base, reference} = part(name);
  const get = async digest => { const answer = await ask(host, base + '/manifests/' + digest, {headers: {Accept: types}}); if (answer.status === 404) fail('manifest unknown'); return {text: await answer.text(), type: answer.headers.get('content-type')}; };
  let found = await get(reference);
  const {manifests} = JSON.parse(found.text);
  if (manifests) found = await get(manifests.find(one => one.platform.architecture === 'amd64').digest);
  const manifest = JSON.parse(found.text);
  const config = await (await ask(host, base + '/blobs/' + manifest.config.digest)).json();
  save(name, {Id: manifest.config.digest, RepoDigests: [name], Size: 1000, Os: 'linux', Architecture: 'amd64', RootFS: {Layers: config.rootfs.diff_ids}, from: {host, base}, ...found});
} else if (command === 'tag') save(name, load(args[1]));
else if (command === 'push') {
  const {host, base, reference} = part(name);
  const image = load(name);
  const manifest = JSON.parse(image.text);
  for (const [i, {digest}] of [manifest.config, ...manifest.layers].entries()) {
    const said = text => i > 0 && console.log(image.RootFS.Layers[i - 1].slice(7, 19) + ': ' + text);
    if ((await ask(host, base + '/blobs/' + digest, {method: 'HEAD'})).status === 200) { said('Layer already exists'); continue; }
    const bytes = Buffer.from(await (await ask(image.from.host, image.from.base + '/blobs/' + digest)).arrayBuffer());
    const opened = await ask(host, base + '/blobs/uploads/', {method: 'POST'});
    const to = new URL(opened.headers.get('location'), base);
    to.searchParams.set('digest', digest);
    await ask(host, to, {method: 'PUT', body: bytes});
    said('Pushed');
  }
  const text = ${store === 'classic' ? 'JSON.stringify(manifest)' : 'image.text'};
  await ask(host, base + '/manifests/' + reference, {method: 'PUT', headers: {'Content-Type': image.type}, body: text});
  save(name.replace(/:[^:/]+$/, '@' + digestOf(text)), image);
  console.log(reference + ': digest: ' + digestOf(text) + ' size: ' + text.length);
} else if (command === 'rm') {
  if (!has(name)) fail('Error: No such image: ' + name);
  fs.rmSync(fileOf(name));
  // With the last tag of a repository its digests go, as they do at a real daemon.
  const digests = encodeURIComponent(name.replace(/:[^:/]+$/, '') + '@');
  if (!name.includes('@')) for (const file of fs.readdirSync(home)) if (file.startsWith(digests)) fs.rmSync(home + '/' + file);
} else fail('docker: ' + command + ' is not known');
})().catch(error => fail('Error response from daemon: ' + error.message));
`,
    version
  );
}
