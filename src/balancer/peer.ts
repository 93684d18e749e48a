import type { Server } from '../upstream/server-type.ts';
import type { Peer } from './balancer.ts';

/** Steps of a slow start: fractions of 64 keep every weight exact in binary, so that no rounding can change a choice. */
export const RAMP_STEPS = 64;

/** A `Peer` with what the balancers keep of it between picks. Only this folder reads or writes these fields. */
export interface PoolPeer extends Peer {
  /** The pool that has it now; undefined once its address left the list. */
  home: object | undefined;
  /** Position in its pool, which decides ties. */
  index: number;
  /** The weight in force: the server's own, or a part of it during a slow start. */
  weight: number;
  /** nginx's effective_weight: lowered by failures, grows back by one with each pick the peer took part in. */
  effective: number;
  /** nginx's current_weight; while the peer is in a `Group`, less `weight` times the wheel's turn. */
  current: number;
  /** Its group in the wheel (undefined while `effective` is below `weight`), and its neighbours in the group's queue. */
  group: object | undefined;
  ahead: PoolPeer | undefined;
  behind: PoolPeer | undefined;
  /** Its place among the group's strays or the wheel's weak ones; -1 in a queue or outside. */
  slot: number;
  /** The tier of equal load it stands in (least_conn only). */
  tier: object | undefined;
  /** True while it may be picked at once: not down, not failed, not full. */
  shelved: boolean;
  /** True while it waits for the end of `fail_timeout`. */
  waiting: boolean;
  /** Slow start: `RAMP_STEPS` when there is none, otherwise the steps done. */
  rampStep: number;
  /** When the slow start began; negative until the first pick tells the time. */
  rampStart: number;
  /** Peak-EWMA of the response time in milliseconds, and when it was last updated. */
  ewma: number;
  ewmaAt: number;
  /** The next peer of the same address: a list may name a server twice. */
  twin: PoolPeer | undefined;
  /** Points of the consistent ring that it owns now. */
  points: number;
}

/** A peer that nobody used yet. */
export function createPeer(server: Server): PoolPeer {
  return {
    server,
    conns: 0,
    otherConns: 0,
    fails: 0,
    checked: 0,
    accessed: 0,
    home: undefined,
    index: 0,
    weight: server.weight,
    effective: server.weight,
    current: 0,
    group: undefined,
    ahead: undefined,
    behind: undefined,
    slot: -1,
    tier: undefined,
    shelved: false,
    waiting: false,
    rampStep: RAMP_STEPS,
    rampStart: -1,
    ewma: -1,
    ewmaAt: 0,
    twin: undefined,
    points: 0,
  };
}

/** True when the server's attributes let it take new requests. */
export function isServing(peer: PoolPeer): boolean {
  return !peer.server.down && !peer.server.drain;
}

/** True while nginx would pass the peer over for its failures. */
export function isFailed(peer: PoolPeer, now: number): boolean {
  const server = peer.server;
  return server.maxFails > 0 && peer.fails >= server.maxFails && now - peer.checked <= server.failTimeoutMs;
}

/** True when the peer has as many requests as `max_conns` allows, those of other workers included. */
export function isFull(peer: PoolPeer): boolean {
  return peer.server.maxConns > 0 && peer.conns + peer.otherConns >= peer.server.maxConns;
}

/** True when a request may be sent to the peer now. */
export function isUsable(peer: PoolPeer, now: number): boolean {
  return isServing(peer) && !isFailed(peer, now) && !isFull(peer);
}

/** True when `peer` is among those a request already tried. */
export function wasTried(tried: readonly Peer[], peer: Peer): boolean {
  const count = tried.length;
  for (let i = 0; i < count; i++) {
    if (tried[i] === peer) return true;
  }
  return false;
}

/** Ends a request that went well; false, and nothing done, when that says something of the server: `done` is to hear it. */
export function endPlain(peer: Peer): boolean {
  if (peer.fails > 0 || peer.server.maxConns > 0) return false;
  peer.conns -= 1;
  return true;
}
