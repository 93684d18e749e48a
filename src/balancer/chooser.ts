import type { PickRequest } from './balancer.ts';
import type { PoolPeer } from './peer.ts';

/**
 * How a method chooses among the primary servers. Where it finds none, round robin takes over, as in nginx; so the two
 * methods that are an order of the shelf (`round_robin`, `least_conn`) need no chooser.
 */
export interface Chooser {
  /** A usable peer that the request has not tried, not yet counted; or undefined. */
  choose(request: PickRequest): PoolPeer | undefined;
  /** Hears of the end of each attempt, after it was counted. */
  ended?(peer: PoolPeer, failed: boolean, now: number, responseMs: number): void;
}
