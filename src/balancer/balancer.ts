import type { Server } from '../upstream/server-type.ts';
import type { Method } from './methods.ts';

export type { Method } from './methods.ts';

/**
 * This folder is compiled twice, to JavaScript and to LuaJIT: no clock, no I/O, no Node API, no Map/Set iteration, no
 * try/catch, no regular expressions; numbers are doubles; never rely on JavaScript truthiness of 0 or ''.
 */
export interface BalancerOptions {
  readonly method: Method;
  /** Start of the round-robin cycle and of random choices; 0 gives nginx's exact sequence. @default 0 */
  readonly seed: number;
  /** `bounded_hash`: a server takes at most this many times the mean load. @default 1.25 */
  readonly loadFactor: number;
}

/**
 * The live state of one server inside a balancer; read-only for callers. The object stays the same for as long as its address stays in the list,
 * over any number of rebuilds, so a request may keep it and hand it back after the list was replaced.
 */
export interface Peer {
  /** Attributes of the newest list that had this address. */
  server: Server;
  /** Requests now at this server, by this process. */
  conns: number;
  /** Requests now at this server by other workers, as last heard; 0 in a single process. */
  otherConns: number;
  /** Failures within `fail_timeout`, as nginx counts them. */
  fails: number;
  /** When it last failed or was probed, and last failed; the clock of `pick` (milliseconds). */
  checked: number;
  accessed: number;
}

/** What one pick may depend on. */
export interface PickRequest {
  /** Monotonic milliseconds. */
  now: number;
  /**
   * The hash key as bytes: one character per byte, so a JavaScript caller passes `latin1` text of the UTF-8 bytes. For
   * `ip_hash` the client's address in binary text (4 or 16 bytes; anything else counts as a unix socket); '' for other
   * methods.
   */
  key: string;
  /** Peers this request already tried, in order; never picked again. */
  tried: Peer[];
  /**
   * Ask failed servers again rather than give up after others were tried. nginx gives up; without a proxy in between the
   * caller would see the error. @default false
   */
  lastResort?: boolean;
}

/**
 * The policy that picks one server of a list for one request. Built whole from a list and replaced whole by
 * `createBalancer(options, servers, previous)`, which carries over the state of the servers that stay.
 */
export interface Balancer {
  readonly method: Method;
  readonly peers: readonly Peer[];
  /** How many different servers one request may try now: all that are not down or draining. At least 1. */
  readonly tries: number;
  /**
   * How often a pick found every server failed and therefore forgot all failures (`fails` is 0 again); whoever shares
   * failures with other workers compares it after a pick and clears what is shared.
   */
  readonly resets: number;
  /** The peer to use, already counted in `conns`; undefined when every eligible server was tried or none is usable. */
  pick(request: PickRequest): Peer | undefined;
  /**
   * `pick` for a request that has tried nothing yet, at the least cost: round robin over a list without `max_conns`, while
   * no server's failures are about to be forgotten. Undefined when only `pick` can tell. A request it gave out that went
   * well may be ended with `endPlain`.
   */
  pickPlain(now: number): Peer | undefined;
  /** Ends one attempt begun by `pick`. `failed` as nginx's proxy_next_upstream conditions define it. */
  done(peer: Peer, failed: boolean, now: number, responseMs: number): void;
  /** Takes over what other workers counted; never write these fields of a `Peer` directly. */
  observe(peer: Peer, fails: number, checked: number, accessed: number, now: number): void;
  /** Tells how many requests other workers have at `peer`; never write `otherConns` directly. */
  setOtherConns(peer: Peer, count: number, now: number): void;
}
