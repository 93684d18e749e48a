import type { RejectedEntry } from '../upstream/errors.ts';
import type { Server } from '../upstream/server.ts';

/** One whole list as a registry told it. */
export interface SourceList {
  /** In the registry's order, addresses unique. May be empty: whether an empty list is believed is the guard's matter. */
  readonly servers: readonly Server[];
  /** Entries that were refused, each with its place. */
  readonly rejected: readonly RejectedEntry[];
  /** The registry's index or revision of this list, as text. */
  readonly index?: string;
}

/**
 * Somewhere lists come from.
 *
 * `lists(signal)` yields the whole list at once, then again after each change. Asking for the next list tells the source
 * that the one before was taken: only then does it commit its index. It ends only by throwing (an `UpsyncError` with code
 * `SOURCE_…`) or, without a last value, after `signal` aborts. It does not retry, sleep between failures, or cache:
 * `watch()` does that once for all sources. A list that equals the one before may be yielded; `watch()` drops it.
 */
export interface Source {
  /** For logs and pages, free of secrets: `consul http://127.0.0.1:8500/v1/kv/upstreams/test`. */
  readonly description: string;
  lists(signal: AbortSignal): AsyncIterable<SourceList>;
}

export type SourceType = 'consul' | 'consul_services' | 'consul_health' | 'etcd' | 'file';
export type Consistency = 'default' | 'stale' | 'consistent';

/** TLS towards a registry; each value is a file path in PEM. */
export interface RegistryTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name expected in the registry's certificate when it differs from the host in the address. */
  readonly serverName?: string;
}

/** Everything that says where a list comes from: the `upsync` directive's parameters as typed values. */
export interface SourceOptions {
  readonly type: SourceType;
  /** Base URLs tried in order, `http://127.0.0.1:8500`; empty for `file`. */
  readonly addresses: readonly string[];
  /**
   * URL path (and query, if the user wrote one) as written in the directive, `/v1/kv/upstreams/test`; a file path for `file`.
   * For `etcd` a path under `/v2/keys/` means the old keys API, any other is a key prefix of etcd v3, first slash included.
   */
  readonly path: string;
  /**
   * Rate floor: fetches that bring nothing new come on average at most once in this time, as a token bucket; fetches that
   * bring a change are not held back, so that a change is seen at once. Also the pause between fetches from a registry that
   * gives no index to wait on. Milliseconds. @default 5000
   */
  readonly intervalMs: number;
  /** Longest one poll may take, the registry's wait included. Milliseconds. @default 360000 */
  readonly timeoutMs: number;
  readonly token?: string;
  /** File whose first line is the token; read again at each poll so that it can be rotated. */
  readonly tokenFile?: string;
  readonly tls?: RegistryTls;
  readonly dc?: string;
  readonly tags?: readonly string[];
  readonly filter?: string;
  readonly passing?: boolean;
  readonly consistency?: Consistency;
  readonly cached?: boolean;
  /** Take weights from Consul's own `Weights` (passing/warning) when no tag names one. @default false */
  readonly useWeights?: boolean;
}
