import {rmSync} from 'node:fs';
import {cp, mkdir, mkdtemp, rm, statfs} from 'node:fs/promises';
import {connect} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {findMonth, type Found, writeMonth} from './layout.ts';
import {Links} from './link-process.ts';
import {type Cost, start} from './measure.ts';
import {beginsFull, monthOf, type Phase} from './phase.ts';
import {busySeconds} from './proc.ts';
import {type Logged, RegistryProcess} from './registries.ts';
import type {Errand, Tool} from './tool.ts';
import {targetRepository, weigh, type Weights, type WorkMonth, type Workload} from './workload.ts';

/** `link`: a long line before each registry; `loopback`: nothing between. */
export type Profile = 'link' | 'loopback';

/** What one run came to. */
export interface Run {
  readonly tool: string;
  readonly profile: Profile;
  readonly scale: number;
  readonly phase: Phase;
  /** Seconds. */
  readonly wall: number;
  /** Processor seconds of the tool, and of a service that worked for it. */
  readonly cpu: number;
  /** Processor seconds of both registries. */
  readonly registries: number;
  /** Processor seconds of the bench itself: the line, and the looking on. A real line would cost none. */
  readonly bench: number;
  /** Processor seconds of everything else on this machine: what disturbed the run. */
  readonly foreign: number;
  /** Bytes of the largest process, and of all together. */
  readonly peak: number;
  readonly peakTree: number;
  /** Bytes of bodies that the source sent. */
  readonly pulled: number;
  /** Bytes of bodies that reached the target. */
  readonly pushed: number;
  readonly requests: {readonly source: number; readonly target: number};
  /** New connections; only a link counts them. */
  readonly connections?: {readonly source: number; readonly target: number};
  readonly found: Found;
  /** What had to travel. */
  readonly changed: Weights;
  /** Why it does not count. */
  readonly failure?: string;
}

/** The link of the bench. */
export const line = {roundTrip: 40, rate: 25_000_000};

/**
 * Two registries with a workload between them, on ports that stay the same, so that what a tool
 * remembers of a host is true in its next run.
 */
export class Session implements AsyncDisposable {
  readonly #workload: Workload;
  readonly #profile: Profile;
  readonly #folder: string;
  readonly #source: RegistryProcess;
  readonly #links: Links | undefined;
  readonly #ports: Ports;
  readonly #targetFolder: string;
  #runs = 0;

  private constructor(parts: {
    workload: Workload;
    profile: Profile;
    folder: string;
    source: RegistryProcess;
    links: Links | undefined;
    ports: Ports;
    targetFolder: string;
  }) {
    this.#workload = parts.workload;
    this.#profile = parts.profile;
    this.#folder = parts.folder;
    this.#source = parts.source;
    this.#links = parts.links;
    this.#ports = parts.ports;
    this.#targetFolder = parts.targetFolder;
  }

  static async open(workload: Workload, profile: Profile, storage?: string): Promise<Session> {
    const folder = await mkdtemp(join(tmpdir(), 'arcdata-bench-'));
    const ports = await freePorts();
    const source = await RegistryProcess.start(
      ports.source,
      workload.storage,
      join(folder, 'source')
    );
    const links =
      profile === 'link'
        ? await Links.open([
            {port: ports.sourceLink, to: ports.source},
            {port: ports.targetLink, to: ports.target}
          ])
        : undefined;
    const room = storage ?? (await targetRoom(workload.scale));
    const targetFolder = await mkdtemp(join(room, 'arcdata-bench-target-'));
    // However the bench ends, it leaves no gigabyte in memory.
    process.once('exit', () => {
      for (const path of [folder, targetFolder]) rmSync(path, {recursive: true, force: true});
    });
    return new Session({workload, profile, folder, source, links, ports, targetFolder});
  }

  /** Runs a tool once, from a target that is as the phase begins. */
  async run(tool: Tool, phase: Phase): Promise<Run> {
    const month = this.#workload.months[monthOf[phase]];
    const storage = join(this.#targetFolder, 'storage');
    await rm(storage, {recursive: true, force: true});
    await mkdir(storage, {recursive: true});
    if (beginsFull(phase)) {
      const {months, storage: from} = this.#workload;
      await writeMonth(storage, targetRepository, months.first, from);
    }
    const errand = await this.#errand(tool, phase);
    await tool.prepare?.(errand);
    const target = await RegistryProcess.start(
      this.#ports.target,
      storage,
      join(this.#folder, 'target')
    );
    try {
      if (phase === 'killed') await this.#half(tool, errand, target);
      const changed = weigh(month, beginsFull(phase) ? this.#workload.months.first : undefined);
      const sourceMark = await this.#source.mark();
      const targetMark = await target.mark();
      const command = await tool.command(errand);
      const before = await this.#look(target, tool);
      const cost = await start(command).cost;
      const busy = await busySeconds();
      const sourceRequests = await this.#source.requests(sourceMark);
      const targetRequests = await target.requests(targetMark);
      const after = await this.#look(target, tool);
      const found = await findMonth(storage, targetRepository, month);
      const failure = judge(tool, cost, found);
      const cpu = cost.cpu + after.service - before.service;
      const registries = after.registries - before.registries;
      const benching = after.bench - before.bench;
      const own = cpu + registries + benching;
      if (phase === 'cold') await this.#keepHome(tool, errand.home);
      return {
        tool: tool.name,
        profile: this.#profile,
        scale: this.#workload.scale,
        phase,
        wall: cost.wall,
        cpu,
        registries,
        bench: benching,
        foreign: Math.max(0, busy - before.busy - own),
        peak: cost.peak,
        peakTree: cost.peakTree,
        pulled: bodies(sourceRequests),
        pushed: pushedBytes(after.pushed - before.pushed, targetRequests, month),
        requests: {source: sourceRequests.length, target: targetRequests.length},
        ...(after.connections !== undefined &&
          before.connections !== undefined && {
            connections: {
              source: after.connections.source - before.connections.source,
              target: after.connections.target - before.connections.target
            }
          }),
        found,
        changed,
        ...(failure !== undefined && {failure})
      };
    } finally {
      await target.stop();
    }
  }

  async #errand(tool: Tool, phase: Phase): Promise<Errand> {
    const home = join(this.#folder, 'home');
    await rm(home, {recursive: true, force: true});
    if (beginsFull(phase))
      await cp(this.#kept(tool), home, {recursive: true}).catch(() => undefined);
    const scratch = join(this.#folder, `run-${++this.#runs}`);
    await Promise.all([home, scratch].map(path => mkdir(path, {recursive: true})));
    const {source, target, sourceLink, targetLink} = this.#ports;
    const linked = this.#profile === 'link';
    return {
      workload: this.#workload,
      phase,
      source: `127.0.0.1:${linked ? sourceLink : source}`,
      target: `127.0.0.1:${linked ? targetLink : target}`,
      home,
      scratch
    };
  }

  #kept(tool: Tool): string {
    return join(this.#folder, `home of ${tool.name.replaceAll('/', ' ')}`);
  }

  async #keepHome(tool: Tool, home: string): Promise<void> {
    await rm(this.#kept(tool), {recursive: true, force: true});
    await cp(home, this.#kept(tool), {recursive: true});
  }

  /** Starts the errand and kills it when half of the bytes have arrived. */
  async #half(tool: Tool, errand: Errand, target: RegistryProcess): Promise<void> {
    const {uniqueBytes} = weigh(this.#workload.months.first);
    const before = await target.read();
    const underWay = start(await tool.command(errand));
    const state = {ended: false};
    void underWay.cost.then(() => {
      state.ended = true;
    });
    while (!state.ended && (await target.read()) - before < uniqueBytes / 2) {
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    underWay.kill();
    await underWay.cost;
    // What was on the line still arrives.
    await new Promise(resolve => setTimeout(resolve, 400));
  }

  async #look(target: RegistryProcess, tool: Tool) {
    const [sourceLine, targetLine] = (await this.#links?.traffic()) ?? [];
    return {
      registries: (await this.#source.cpu()) + (await target.cpu()),
      service: (await tool.service?.()) ?? 0,
      bench: ((await this.#links?.cpu()) ?? 0) + processSeconds(),
      busy: await busySeconds(),
      pushed: targetLine?.up ?? (await target.read()),
      connections: sourceLine &&
        targetLine && {source: sourceLine.connections, target: targetLine.connections}
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#links?.[Symbol.dispose]();
    await this.#source.stop();
    await rm(this.#folder, {recursive: true, force: true});
    await rm(this.#targetFolder, {recursive: true, force: true});
  }
}

/** The most that the head of a request, and what a registry reads of its own for it, come to, in bytes. */
const largestHead = 1000;

/**
 * Bodies that reached the target. What was committed is known to the byte; what was sent in vain shows
 * in all that came in, of which the heads are a small part.
 */
function pushedBytes(cameIn: number, requests: readonly Logged[], month: WorkMonth): number {
  const sizes = new Map<string, number>(
    month.images.flatMap(({blobs, manifests}) => [
      ...blobs.map(({digest, size}) => [digest, size] as const),
      ...manifests.map(({digest, text}) => [digest, Buffer.byteLength(text)] as const)
    ])
  );
  const roots = new Map(
    month.images.map(({name, manifests}) => [
      `/v2/${targetRepository}/${name}/manifests/${month.tag}`,
      Buffer.byteLength(manifests.at(-1)?.text ?? '')
    ])
  );
  const committed = requests
    .filter(({method, status}) => method === 'PUT' && status === 201)
    .reduce((sum, {path}) => {
      const digest = /sha256(?::|%3A)([0-9a-f]{64})/i.exec(path)?.[1];
      return sum + (sizes.get(`sha256:${digest ?? ''}`) ?? roots.get(path) ?? 0);
    }, 0);
  return Math.max(committed, cameIn - largestHead * requests.length);
}

function processSeconds(): number {
  const {user, system} = process.cpuUsage();
  return (user + system) / 1_000_000;
}

function judge({floor}: Tool, {exitCode, output}: Cost, found: Found): string | undefined {
  if (exitCode !== 0) return `exit code ${exitCode ?? 'by a signal'}: ${output.slice(-1500)}`;
  // Tools that repack or leave platforms out end well all the same; the digests tell of it.
  if (floor !== true && found.pairs + found.tagged === 0) return 'nothing arrived';
  return undefined;
}

function bodies(requests: readonly Logged[]): number {
  return requests
    .filter(({method, status}) => method === 'GET' && status < 300)
    .reduce((sum, {bytes}) => sum + bytes, 0);
}

/** Memory, where there is room for it: a disk that writes behind would blur every figure. */
async function targetRoom(scale: number): Promise<string> {
  const memory = '/dev/shm';
  const {bavail, bsize} = await statfs(memory).catch(() => ({bavail: 0, bsize: 0}));
  return bavail * bsize > scale * 4_000_000 ? memory : tmpdir();
}

interface Ports {
  readonly source: number;
  readonly target: number;
  readonly sourceLink: number;
  readonly targetLink: number;
}

/** Ports below those that the kernel gives to connections: a registry gets its own back. */
async function freePorts(): Promise<Ports> {
  const free: number[] = [];
  for (let port = 21_000 + (process.pid % 500) * 8; free.length < 4; port++) {
    if (!(await listens(port))) free.push(port);
  }
  const [source = 0, target = 0, sourceLink = 0, targetLink = 0] = free;
  return {source, target, sourceLink, targetLink};
}

function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
