import type { RejectedEntry } from '../upstream/errors.ts';
import type { Server } from '../upstream/server.ts';
import type { Origin } from '../upstream/snapshot.ts';
import type { DeliveryStatus } from './deliver.ts';

/** Everything there is to know of one upstream, as `upsync show`, the admin API and the library tell it. Plain data. */
export interface UpstreamStatus {
  readonly name: string;
  /** Where its list comes from, free of secrets. */
  readonly source: string;
  /** `file:line` of its configuration. */
  readonly where: string;
  /** Counts the different lists of this upstream in this process. */
  readonly version: number;
  readonly servers: readonly Server[];
  readonly origin: Origin;
  /** The registry's index of its newest list. */
  readonly index: string | undefined;
  /** A list of the registry is in use; false while it is the dump's or the configuration's. */
  readonly ready: boolean;
  /** When the registry last told a list, milliseconds since the epoch. */
  readonly lastSuccessAt: number | undefined;
  /** For how long the registry has been out of reach; 0 while it is followed. Milliseconds. */
  readonly ageMs: number;
  /** The failure since the last success: the newest one, and since when they last. */
  readonly lastError:
    | { readonly code: string; readonly message: string; readonly at: number; readonly since: number }
    | undefined;
  /** Why the registry's newest list is not in use as it is. */
  readonly refused: { readonly code: string; readonly reason: string } | undefined;
  readonly rejected: readonly RejectedEntry[];
  /** Host names without an address. */
  readonly unresolved: readonly string[];
  readonly polls: number;
  readonly errors: number;
  /** How far nginx, the dump file and others are. */
  readonly targets: readonly DeliveryStatus[];
}
