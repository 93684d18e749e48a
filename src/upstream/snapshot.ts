import type { Server } from './server.ts';

/** Where a list came from. */
export interface Origin {
  /** `registry`: fetched; `dump`: the last good list read back from disk; `static`: lines of a configuration. */
  readonly kind: 'registry' | 'dump' | 'static';
  /** Human-readable and free of secrets: `consul http://127.0.0.1:8500/v1/kv/upstreams/test`. */
  readonly source: string;
  /** The registry's own index or revision, as text (it is a uint64). */
  readonly index?: string;
  /** When the list was fetched or read, milliseconds since the epoch. For display only; order is `version`. */
  readonly at: number;
}

/** One immutable list of one upstream. Replaced whole, never patched; may be kept as long as a reader likes. */
export interface Snapshot {
  readonly upstream: string;
  /** A counter, one higher with each different list of this upstream in this process; never a clock. */
  readonly version: number;
  readonly servers: readonly Server[];
  readonly origin: Origin;
}
