import { type PoolPeer } from './peer.ts';
import { type Shelf } from './shelf.ts';
import { Wheel } from './wheel.ts';

/** Peers with the same load for their weight; among them the choice is smooth round robin. */
class Tier {
  load = 0;
  /** Place in the heap of tiers. */
  slot = 0;
  readonly wheel = new Wheel();
}

/**
 * Least connections as nginx has it: the smallest (connections / weight), round robin among equals. A heap of loads, with
 * a wheel for each, makes it logarithmic. Equal fractions give equal doubles, and different ones of these sizes differ.
 * Source: nginx 1.22, behaviour of ngx_http_upstream_get_least_conn_peer.
 */
export class LeastConnShelf implements Shelf {
  size = 0;
  private readonly heap: Tier[] = [];
  private readonly byLoad = new Map<number, Tier>();
  /** Tiers come and go with every request; empty ones are kept for the next load. */
  private readonly spare: Tier[] = [];

  add(peer: PoolPeer): void {
    this.size += 1;
    const load = (peer.conns + peer.otherConns) / peer.weight;
    let tier = this.byLoad.get(load);
    if (tier === undefined) {
      tier = this.spare.pop() ?? new Tier();
      tier.load = load;
      this.byLoad.set(load, tier);
      this.heap.push(tier);
      this.rise(this.heap.length - 1, tier);
    }
    peer.tier = tier;
    tier.wheel.add(peer);
  }

  remove(peer: PoolPeer): void {
    this.size -= 1;
    const tier = peer.tier as Tier;
    peer.tier = undefined;
    tier.wheel.remove(peer);
    if (tier.wheel.size > 0) return;
    this.byLoad.delete(tier.load);
    this.spare.push(tier);
    const last = this.heap.pop()!;
    if (last === tier) return;
    const slot = tier.slot;
    if (slot > 0 && last.load < this.heap[(slot - 1) >> 1]!.load) this.rise(slot, last);
    else this.sink(slot, last);
  }

  next(): PoolPeer | undefined {
    const wheel = this.heap[0]!.wheel;
    // A single least loaded peer is no turn of the cycle.
    return wheel.size === 1 ? wheel.only() : wheel.next();
  }

  private rise(from: number, tier: Tier): void {
    const heap = this.heap;
    let slot = from;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      const above = heap[parent]!;
      if (above.load <= tier.load) break;
      heap[slot] = above;
      above.slot = slot;
      slot = parent;
    }
    heap[slot] = tier;
    tier.slot = slot;
  }

  private sink(from: number, tier: Tier): void {
    const heap = this.heap;
    const size = heap.length;
    let slot = from;
    let child = slot * 2 + 1;
    while (child < size) {
      if (child + 1 < size && heap[child + 1]!.load < heap[child]!.load) child += 1;
      const below = heap[child]!;
      if (tier.load <= below.load) break;
      heap[slot] = below;
      below.slot = slot;
      slot = child;
      child = slot * 2 + 1;
    }
    heap[slot] = tier;
    tier.slot = slot;
  }
}
