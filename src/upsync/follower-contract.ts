import type { Method } from '../balancer/balancer.ts';
import type { RejectedEntry } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';
import type { Server } from '../upstream/server.ts';
import type { Origin, Snapshot } from '../upstream/snapshot.ts';
import type { GuardOptions } from './guard.ts';
import type { NameBook } from './name-book.ts';

/** A list to put to work, in the two forms targets ask for; both have the same version. */
export interface Emission {
  /** Host names as the registry wrote them. */
  readonly written: Snapshot;
  /** Host names replaced by addresses; undefined while not one of them has an address. */
  readonly resolved: Snapshot | undefined;
}

export interface FollowerOptions {
  readonly upstream: string;
  /** Of the source; for origins, logs and pages. */
  readonly description: string;
  readonly method: Method;
  readonly guard: GuardOptions;
  /** Version of the list to begin with. @default 1 */
  readonly firstVersion?: number;
  /** The list to begin with. */
  readonly initial: { readonly servers: readonly Server[]; readonly origin: Origin };
  /** Ramp of servers that name none, in the lists for nginx; the dump keeps what the registry said. Milliseconds. @default 0 */
  readonly slowStartMs?: number;
  /** Left out: host names stay as they are. */
  readonly names?: NameBook;
  readonly logger: Logger;
  /** Monotonic milliseconds. @default performance.now */
  readonly now?: () => number;
}

/** What is known of the way from a registry to a list. Times are milliseconds since the epoch. */
export interface FollowerStatus {
  readonly snapshot: Snapshot;
  /** The registry gave a list that is in use. */
  readonly ready: boolean;
  readonly index: string | undefined;
  readonly rejected: readonly RejectedEntry[];
  /** Why the registry's newest list is not used as it is. */
  readonly refused: { readonly code: string; readonly reason: string } | undefined;
  readonly lastSuccessAt: number | undefined;
  /** The failure since the last success. */
  readonly lastError:
    | {
        readonly code: string;
        readonly message: string;
        readonly at: number;
        /** When the first failure in a row came. */
        readonly since: number;
      }
    | undefined;
  readonly polls: number;
  readonly errors: number;
  /** Host names without an address. */
  readonly unresolved: readonly string[];
}
