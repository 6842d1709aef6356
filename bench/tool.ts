import type {Command} from './measure.ts';
import type {Phase} from './phase.ts';
import type {Workload} from './workload.ts';

/** What a tool is asked to do in one run. */
export interface Errand {
  readonly workload: Workload;
  readonly phase: Phase;
  /** `127.0.0.1:port`, as the tool sees them. */
  readonly source: string;
  readonly target: string;
  /** A home of its own: what it keeps there in a cold run is there again in the later ones. */
  readonly home: string;
  /** A folder for this run only. */
  readonly scratch: string;
}

/** One way to mirror. */
export interface Tool {
  /** Such as `crane -P4`. */
  readonly name: string;
  /** What it is, as it says of itself. */
  readonly version: string;
  /** Whether it moves blobs only: a lower bound, no mirror. */
  readonly floor?: boolean;
  /** The command that mirrors the month of the errand's phase; files it needs are written here. */
  command(errand: Errand): Promise<Command>;
  /** Processor seconds so far of a service that works for it. */
  service?(): Promise<number>;
  /** Ends the service. */
  stop?(): Promise<void>;
  /** Called before each run, when nothing is running. */
  prepare?(errand: Errand): Promise<void>;
}
