import type { PoolPeer } from './peer.ts';

/** The peers of a pool that may be picked now, in the order of a method. */
export interface Shelf {
  size: number;
  add(peer: PoolPeer): void;
  /** The peer must be on the shelf, unchanged since `add` in what orders the shelf. */
  remove(peer: PoolPeer): void;
  /** Chooses and moves the cycle on; the peer stays on the shelf. */
  next(): PoolPeer | undefined;
}
