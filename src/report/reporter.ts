import type {Log} from '../log.ts';
import type {RunRecord} from './record.ts';

/** The exact figures of a plan, in bytes and numbers of images and unique blobs. */
export interface PlanFigures {
  readonly releases: readonly string[];
  readonly images: number;
  /** Unique blobs and manifests that have to travel. */
  readonly blobsToCopy: number;
  readonly bytesToCopy: number;
  readonly bytesToMount: number;
  readonly bytesPresent: number;
}

/** Told of each piece as it arrives at the target; shows how far the run is. */
export interface Progress extends Disposable {
  /** So many bytes more have arrived. Bytes that travel again after a fault are not counted twice. */
  moved(bytes: number): void;
}

/** Where a run is told of: a step of a workflow, or a terminal. */
export interface Reporter {
  readonly log: Log;
  /** Runs `body` under a heading. */
  group<T>(title: string, body: () => Promise<T>): Promise<T>;
  /** Prints the one plan line. */
  planned(figures: PlanFigures): void;
  /** Starts the progress of a transfer of so many bytes. Dispose of it to end it. */
  progress(bytesToCopy: number): Progress;
  /**
   * Tells the end: outputs, annotations, summary, lock file, hand-over; whatever the outcome.
   * @returns the record as it was told: failed, too, where a lock file that was asked for could not be written
   */
  finish(record: RunRecord): Promise<RunRecord>;
}
