import type { PoolPeer } from './peer.ts';

/** A heap of peers by (current weight, then list order): those of a `Group` that do not fit at the end of its queue. */
export class Strays {
  size = 0;
  private readonly peers: PoolPeer[] = [];

  /** The one to pick first. There must be one. */
  top(): PoolPeer {
    return this.peers[0]!;
  }

  add(peer: PoolPeer): void {
    const slot = this.size;
    this.size = slot + 1;
    this.rise(slot, peer);
  }

  remove(peer: PoolPeer): void {
    const slot = peer.slot;
    this.size -= 1;
    const last = this.peers.pop()!;
    peer.slot = -1;
    if (last === peer) return;
    if (slot > 0 && isBefore(last, this.peers[(slot - 1) >> 1]!)) this.rise(slot, last);
    else this.sink(slot, last);
  }

  /** Adds `amount` to all; their order stays. */
  shift(amount: number): void {
    for (const peer of this.peers) peer.current += amount;
  }

  private rise(from: number, peer: PoolPeer): void {
    const peers = this.peers;
    let slot = from;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      const above = peers[parent]!;
      if (!isBefore(peer, above)) break;
      peers[slot] = above;
      above.slot = slot;
      slot = parent;
    }
    peers[slot] = peer;
    peer.slot = slot;
  }

  private sink(from: number, peer: PoolPeer): void {
    const peers = this.peers;
    const size = this.size;
    let slot = from;
    let child = slot * 2 + 1;
    while (child < size) {
      if (child + 1 < size && isBefore(peers[child + 1]!, peers[child]!)) child += 1;
      const below = peers[child]!;
      if (isBefore(peer, below)) break;
      peers[slot] = below;
      below.slot = slot;
      slot = child;
      child = slot * 2 + 1;
    }
    peers[slot] = peer;
    peer.slot = slot;
  }
}

/** True when `a` is to be picked before `b`, both of one weight. */
export function isBefore(a: PoolPeer, b: PoolPeer): boolean {
  return a.current > b.current || (a.current === b.current && a.index < b.index);
}
