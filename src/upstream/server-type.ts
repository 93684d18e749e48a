// Alone in its file because nginx's workers use it too: what stands here is compiled to Lua as well.

/** Largest weight kept; a larger one counts as this one. */
export const MAX_WEIGHT = 1_000_000;

/** One server of an upstream: nginx's word for an `address:port` with its attributes. Immutable. */
export interface Server {
  /**
   * Identity, as text: `10.0.0.1:80`, `[2001:db8::1]:80`, `unix:/run/app.sock` or `host.example:80`.
   * Two servers are the same when this text is the same. Source: nginx-upsync-module compares `addr:port` as text.
   */
  readonly address: string;
  /** 1..`MAX_WEIGHT`. */
  readonly weight: number;
  /** 0 switches passive failure accounting off. */
  readonly maxFails: number;
  /** Milliseconds, a multiple of 1000 (nginx keeps whole seconds). */
  readonly failTimeoutMs: number;
  /** Gets no new request. */
  readonly down: boolean;
  /** Used only when no primary server is left. */
  readonly backup: boolean;
  /** Concurrent connections allowed; 0 means no limit. */
  readonly maxConns: number;
  /** Ramp of a new or recovered server, in milliseconds; 0 means none. */
  readonly slowStartMs: number;
  /** Finishes what is bound to it and takes nothing new. */
  readonly drain: boolean;
}
