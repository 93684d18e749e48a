import { type PoolPeer } from './peer.ts';

/**
 * The peers of one weight, as a heap with the one to pick first on top. Every pick adds the same weight to each of them,
 * so their order among themselves does not change by picks of others: that is what makes nginx's sequence cheap.
 */
export class Group {
  readonly weight: number;
  size = 0;
  /** Place in the wheel's list of groups. */
  place = 0;
  private readonly keys: number[] = [];
  private readonly peers: PoolPeer[] = [];

  constructor(weight: number) {
    this.weight = weight;
  }

  /** The peer with the highest current weight, the first of the list among equals. The group must not be empty. */
  top(): PoolPeer {
    return this.peers[0]!;
  }

  /** `current` of the top peer, less weight × turn. */
  topKey(): number {
    return this.keys[0]!;
  }

  add(peer: PoolPeer): void {
    const slot = this.size;
    this.size = slot + 1;
    peer.group = this;
    this.rise(slot, peer.current, peer);
  }

  remove(peer: PoolPeer): void {
    const slot = peer.slot;
    peer.group = undefined;
    peer.current = this.keys[slot]!;
    this.size -= 1;
    const key = this.keys.pop()!;
    const last = this.peers.pop()!;
    if (last === peer) return;
    if (slot > 0 && this.isBefore(key, last, (slot - 1) >> 1)) this.rise(slot, key, last);
    else this.sink(slot, key, last);
  }

  /** Takes `amount` from the current weight of the top peer. */
  lowerTop(amount: number): void {
    this.sink(0, this.keys[0]! - amount, this.peers[0]!);
  }

  /** Adds `amount` to all; their order stays. */
  shift(amount: number): void {
    const size = this.size;
    for (let i = 0; i < size; i++) this.keys[i] = this.keys[i]! + amount;
  }

  private isBefore(key: number, peer: PoolPeer, other: number): boolean {
    const otherKey = this.keys[other]!;
    return key > otherKey || (key === otherKey && peer.index < this.peers[other]!.index);
  }

  private rise(from: number, key: number, peer: PoolPeer): void {
    const keys = this.keys;
    const peers = this.peers;
    let slot = from;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!this.isBefore(key, peer, parent)) break;
      const above = peers[parent]!;
      keys[slot] = keys[parent]!;
      peers[slot] = above;
      above.slot = slot;
      slot = parent;
    }
    keys[slot] = key;
    peers[slot] = peer;
    peer.slot = slot;
  }

  private sink(from: number, key: number, peer: PoolPeer): void {
    const keys = this.keys;
    const peers = this.peers;
    const size = this.size;
    let slot = from;
    let child = slot * 2 + 1;
    while (child < size) {
      let childKey = keys[child]!;
      const right = child + 1;
      if (right < size) {
        const rightKey = keys[right]!;
        if (rightKey > childKey || (rightKey === childKey && peers[right]!.index < peers[child]!.index)) {
          child = right;
          childKey = rightKey;
        }
      }
      const below = peers[child]!;
      if (key > childKey || (key === childKey && peer.index < below.index)) break;
      keys[slot] = childKey;
      peers[slot] = below;
      below.slot = slot;
      slot = child;
      child = slot * 2 + 1;
    }
    keys[slot] = key;
    peers[slot] = peer;
    peer.slot = slot;
  }
}
