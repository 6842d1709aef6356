import type {Gate} from './auth.ts';
import type {BlobHost} from './blob-host.ts';
import type {Character} from './profiles.ts';
import type {Store} from './store.ts';

/** What the handlers of one registry work with. */
export interface Desk {
  readonly store: Store;
  readonly character: Character;
  readonly gate: Gate;
  /** Entries of a page when the client names no number. */
  readonly pageSize: number;
  /** Where blobs are read from when the registry redirects. */
  readonly blobHost: BlobHost | undefined;
}
