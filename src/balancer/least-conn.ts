import type { PoolPeer } from './peer.ts';
import type { Shelf } from './shelf.ts';
import { Wheel } from './wheel.ts';

/** Peers with the same load for their weight; among them the choice is smooth round robin. */
class Tier {
  readonly load: number;
  readonly wheel = new Wheel();

  constructor(load: number) {
    this.load = load;
  }
}

/**
 * Least connections as nginx has it: the smallest (connections / weight), round robin among equals. A heap of loads, with
 * a wheel for each, makes it logarithmic. Equal fractions give equal doubles, and different ones of these sizes differ.
 * Source: nginx 1.22, behaviour of ngx_http_upstream_get_least_conn_peer.
 */
export class LeastConnShelf implements Shelf {
  size = 0;
  /** By load, the least on top. Requests come and go, so an empty tier stays until it is on top or there are many. */
  private readonly heap: Tier[] = [];
  /** By -1 - load: LuaJIT does not compile look-ups in a table that mixes array and hash parts. */
  private readonly byLoad = new Map<number, Tier>();

  add(peer: PoolPeer): void {
    this.size += 1;
    const load = (peer.conns + peer.otherConns) / peer.weight;
    let tier = this.byLoad.get(-1 - load);
    if (tier === undefined) {
      tier = this.createTier(load);
    }
    peer.tier = tier;
    tier.wheel.add(peer);
  }

  remove(peer: PoolPeer): void {
    this.size -= 1;
    (peer.tier as Tier).wheel.remove(peer);
    peer.tier = undefined;
  }

  next(): PoolPeer | undefined {
    if (this.size === 0) return undefined;
    let wheel = this.heap[0]!.wheel;
    while (wheel.size === 0) {
      this.dropTop();
      wheel = this.heap[0]!.wheel;
    }
    // A single least loaded peer is no turn of the cycle.
    return wheel.size === 1 ? wheel.only() : wheel.next();
  }

  private createTier(load: number): Tier {
    if (this.heap.length > 4 * this.size + 64) this.dropEmpty();
    const tier = new Tier(load);
    this.byLoad.set(-1 - load, tier);
    this.heap.push(tier);
    this.rise(tier);
    return tier;
  }

  private dropEmpty(): void {
    const tiers: Tier[] = [];
    while (this.heap.length > 0) {
      const tier = this.heap.pop()!;
      if (tier.wheel.size > 0) tiers.push(tier);
      else this.byLoad.delete(-1 - tier.load);
    }
    for (const tier of tiers) {
      this.heap.push(tier);
      this.rise(tier);
    }
  }

  private dropTop(): void {
    const heap = this.heap;
    this.byLoad.delete(-1 - heap[0]!.load);
    const last = heap.pop()!;
    const size = heap.length;
    if (size === 0) return;
    let slot = 0;
    let child = 1;
    while (child < size) {
      if (child + 1 < size && heap[child + 1]!.load < heap[child]!.load) child += 1;
      const below = heap[child]!;
      if (last.load <= below.load) break;
      heap[slot] = below;
      slot = child;
      child = slot * 2 + 1;
    }
    heap[slot] = last;
  }

  /** Moves the last tier of the heap to its place. */
  private rise(tier: Tier): void {
    const heap = this.heap;
    let slot = heap.length - 1;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      const above = heap[parent]!;
      if (above.load <= tier.load) break;
      heap[slot] = above;
      slot = parent;
    }
    heap[slot] = tier;
  }
}
