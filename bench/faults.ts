import {spawn} from 'node:child_process';
import {accessSync, constants} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {delimiter, join, resolve} from 'node:path';

import {BlobHost} from '../src/demo/blob-host.ts';
import {EmbeddedRegistry} from '../src/demo/registry.ts';
import type {Rule} from '../src/demo/rules.ts';
import {Store} from '../src/demo/store.ts';
import {putRelease, smallRelease, smallTag} from '../__tests__/support/small-release.ts';

/**
 * The same faults for this project and for other tools on PATH: what each one comes to, judged by
 * what the target holds afterwards. Real clocks, real time limits.
 */

const release = smallRelease(2);
const {engine, late} = release;
const names = ['arc-controller', 'arc-dns'];
/** Nothing that is meant to go on needs longer, in milliseconds; what does counts as hanging. */
const longest = 100_000;
const MiB = 1024 * 1024;

/** What limits requests: so many a second, and as many at once after a pause. The rest is 429. */
function limitedTo(rate: number): Rule {
  let left = rate;
  let last = performance.now();
  return {
    on: {},
    times: 'always',
    do: {
      effect: 'custom',
      run: async exchange => {
        const now = performance.now();
        left = Math.min(rate, left + ((now - last) / 1000) * rate);
        last = now;
        if (left >= 1) {
          left--;
          return false;
        }
        await exchange.answerAsRuled({effect: 'answer', status: 429}, undefined);
        return true;
      }
    }
  };
}

interface World {
  readonly source: EmbeddedRegistry;
  readonly target: EmbeddedRegistry;
  readonly sink: BlobHost;
}

interface Case {
  readonly name: string;
  readonly source?: readonly Rule[];
  readonly target?: readonly Rule[];
  readonly prepare?: (world: World) => void;
  /** What a good end is; default `complete`. */
  readonly wanted?: 'complete' | 'refused';
  readonly unchecked?: boolean;
}

const read = {kind: 'blob', method: 'GET', digest: engine.digest} as const;
const send = {kind: 'upload', method: ['PATCH', 'PUT']} as const;

const cases: readonly Case[] = [
  {name: 'nothing goes wrong'},
  {
    name: 'a reset in mid-download',
    source: [{on: read, do: {effect: 'cut-download', after: 1_000_000}}]
  },
  {
    name: 'a download that stalls',
    source: [{on: read, do: {effect: 'cut-download', after: 1_000_000, how: 'stall'}}]
  },
  {name: 'wrong bytes once', source: [{on: read, do: {effect: 'flip', at: 4_000_000}}]},
  {
    name: 'ten seconds of 503 at the source',
    source: [{on: {}, times: 'always', window: {to: 10_000}, do: {effect: 'answer', status: 503}}]
  },
  {
    name: '429 with Retry-After: 5, four times',
    source: [
      {
        on: {kind: 'blob'},
        times: 4,
        do: {effect: 'answer', status: 429, headers: {'Retry-After': '5'}}
      }
    ]
  },
  {
    name: 'five requests a second at the target, 429 beyond',
    prepare: ({target}) => {
      target.rule(limitedTo(5));
    }
  },
  {name: 'a reset in mid-upload', target: [{on: send, do: {effect: 'cut-upload', after: 10_000}}]},
  {
    name: 'uploads are lost once each way',
    target: [{on: send, times: 2, do: {effect: 'lose-session'}}]
  },
  {
    name: '413 above 4 MiB',
    target: [{on: {}, times: 'always', do: {effect: 'max-body', bytes: 4 * MiB}}]
  },
  {
    name: 'MANIFEST_BLOB_UNKNOWN once',
    target: [{on: {kind: 'manifest', method: 'PUT'}, do: {effect: 'missing'}}]
  },
  {
    name: 'a blob is taken and not kept, once',
    unchecked: true,
    target: [{on: {...send, method: 'PUT'}, do: {effect: 'vanish'}}]
  },
  {
    name: 'half of the image is there already, under its tag',
    prepare: ({target}) => {
      putRelease(target.store, 'arcdata', release);
      target.store.deleteBlob('arcdata/arc-controller', engine.digest);
      target.store.deleteBlob('arcdata/arc-dns', late.digest);
    }
  },
  {
    name: 'another image comes for the digest of a layer',
    wanted: 'refused',
    source: [{on: read, times: 'always', do: {effect: 'flip', at: 10}}]
  },
  {
    name: 'the upload goes on at another port',
    wanted: 'refused',
    prepare: ({target, sink}) => {
      target.rule({
        on: {kind: ['upload', 'mount']},
        times: 'always',
        do: {effect: 'location', mode: 'other-host', host: sink.name}
      });
    }
  }
];

interface Tool {
  readonly name: string;
  commands(world: World, home: string): readonly (readonly string[])[];
}

function onPath(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some(directory => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const from = ({source}: World, name: string) => `${source.name}/arcdata/${name}:${smallTag}`;
const to = ({target}: World, name: string) => `${target.name}/arcdata/${name}:${smallTag}`;

const tools: readonly Tool[] = [
  {
    name: 'arcdata-mirror',
    commands: ({source, target}, home) => [
      [
        ...[process.execPath, resolve('dist/cli/index.js'), 'mirror', '--yes'],
        ...[
          '--source-registry',
          source.name,
          '--source-tag',
          smallTag,
          '--images',
          names.join(',')
        ],
        ...['--target-registry', target.name, '--target-repository', 'arcdata'],
        ...['--insecure-registries', `${source.name},${target.name}`],
        ...['--lock-file', join(home, 'lock.json')]
      ]
    ]
  },
  {
    name: 'crane',
    commands: world =>
      names.map(name => ['crane', 'copy', '--insecure', from(world, name), to(world, name)])
  },
  {
    name: 'skopeo',
    commands: world =>
      names.map(name => [
        ...['skopeo', 'copy', '--all', '--preserve-digests', '--retry-times', '3'],
        ...['--src-tls-verify=false', '--dest-tls-verify=false'],
        ...[`docker://${from(world, name)}`, `docker://${to(world, name)}`]
      ])
  },
  {
    name: 'oras',
    commands: world =>
      names.map(name => [
        ...['oras', 'cp', '--from-plain-http', '--to-plain-http', '--no-tty'],
        ...[from(world, name), to(world, name)]
      ])
  }
];

function run(argv: readonly string[], home: string): Promise<number | 'hangs'> {
  return new Promise((settle, reject) => {
    const [program = '', ...args] = argv;
    const child = spawn(program, args, {
      stdio: 'ignore',
      env: {PATH: process.env.PATH ?? '', HOME: home, TMPDIR: home, XDG_RUNTIME_DIR: home}
    });
    let hangs = false;
    const timer = setTimeout(() => {
      hangs = true;
      child.kill('SIGKILL');
    }, longest);
    child.once('error', reject);
    child.once('close', code => {
      clearTimeout(timer);
      settle(hangs ? 'hangs' : (code ?? 1));
    });
  });
}

/** What a tool made of a case, in a word or two; the first is the one that is wanted. */
async function judge(one: Case, tool: Tool): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'faults-'));
  await using source = await EmbeddedRegistry.start({profile: 'spec'});
  await using target = await EmbeddedRegistry.start({
    ...(one.unchecked === true && {verifyReferences: false})
  });
  await using sink = await BlobHost.start({store: new Store()});
  const world = {source, target, sink};
  putRelease(source.store, 'arcdata', release);
  one.prepare?.(world);
  for (const rule of one.source ?? []) source.rule(rule);
  for (const rule of one.target ?? []) target.rule(rule);
  try {
    const ends: (number | 'hangs')[] = [];
    for (const argv of tool.commands(world, home)) ends.push(await run(argv, home));
    const failed = ends.some(end => end !== 0);
    const tags = names.map(name => target.store.tag(`arcdata/${name}`, smallTag));
    const half = names.some((name, i) => {
      const digest = tags[i];
      return digest !== undefined && target.store.holes(`arcdata/${name}`, digest).length > 0;
    });
    const right = names.every((name, i) => tags[i] === release.images.get(name)?.digest);
    const leaked = sink.requests.some(
      ({bytesIn, authorization}) => bytesIn > 0 || authorization !== 'none'
    );
    const words = [
      ...(ends.includes('hangs') ? ['hangs'] : []),
      ...(leaked ? ['sends bytes elsewhere'] : []),
      ...(half ? ['half image under the tag'] : [])
    ];
    if (words.length > 0) return `${words.join(', ')}${failed ? '' : ', exit 0'}`;
    if (failed) return one.wanted === 'refused' ? 'refused' : 'gives up';
    return right ? 'complete' : 'exit 0, nothing there';
  } finally {
    await rm(home, {recursive: true, force: true});
  }
}

const present = tools.filter(({name}) => name === 'arcdata-mirror' || onPath(name));
const rows = [['fault', ...present.map(({name}) => name)]];
const wanted = process.argv.slice(2);
for (const one of cases) {
  if (wanted.length > 0 && !wanted.some(words => one.name.includes(words))) continue;
  const row = [one.name];
  for (const tool of present) row.push(await judge(one, tool));
  rows.push(row);
  process.stderr.write(`${row.join(' | ')}\n`);
}
const [head = [], ...body] = rows;
const line = (row: readonly string[]) => `| ${row.join(' | ')} |\n`;
process.stdout.write(line(head) + line(head.map(() => '---')) + body.map(line).join(''));
