import type { PoolPeer } from './peer.ts';
import { Strays, isBefore } from './strays.ts';

/** Shared by all groups that never had any: most of them, in a list of many weights. */
const NO_STRAYS = new Strays();

/**
 * The peers of one weight, in the order they are to be picked. Every pick adds the same weight to each of them, so picks
 * of others do not change their order; and the one picked nearly always belongs at the very end. So they stand in a
 * circle, where the usual pick moves the head on and needs no loop (LuaJIT then compiles it and all around it as one);
 * those that come back out of turn wait in a heap until they are picked.
 */
export class Group {
  readonly weight: number;
  size = 0;
  /** Place in the wheel's list of groups. */
  place = 0;
  private head: PoolPeer | undefined = undefined;
  private strays = NO_STRAYS;

  constructor(weight: number) {
    this.weight = weight;
  }

  /** The peer with the highest current weight, the first of the list among equals. The group must not be empty. */
  top(): PoolPeer {
    const head = this.head;
    if (this.strays.size === 0) return head!;
    const stray = this.strays.top();
    return head === undefined || isBefore(stray, head) ? stray : head;
  }

  /** `current` of the top peer, less weight × turn. */
  topKey(): number {
    return this.top().current;
  }

  add(peer: PoolPeer): void {
    this.size += 1;
    peer.group = this;
    const head = this.head;
    if (head === undefined) {
      peer.ahead = peer;
      peer.behind = peer;
      this.head = peer;
      return;
    }
    const last = head.ahead!;
    if (isBefore(peer, last)) {
      if (this.strays === NO_STRAYS) this.strays = new Strays();
      this.strays.add(peer);
      return;
    }
    peer.ahead = last;
    peer.behind = head;
    last.behind = peer;
    head.ahead = peer;
  }

  remove(peer: PoolPeer): void {
    this.size -= 1;
    peer.group = undefined;
    if (peer.slot >= 0) {
      this.strays.remove(peer);
      return;
    }
    const ahead = peer.ahead!;
    const behind = peer.behind!;
    ahead.behind = behind;
    behind.ahead = ahead;
    if (this.head === peer) this.head = behind === peer ? undefined : behind;
    peer.ahead = undefined;
    peer.behind = undefined;
  }

  /** Takes `amount` from the current weight of the top peer and gives that peer. */
  lowerTop(amount: number): PoolPeer {
    const head = this.head;
    if (head !== undefined && this.strays.size === 0) {
      const lowered = head.current - amount;
      const last = head.ahead!;
      if (lowered < last.current || (lowered === last.current && head.index >= last.index)) {
        head.current = lowered;
        this.head = head.behind;
        return head;
      }
    }
    const peer = this.top();
    this.remove(peer);
    peer.current -= amount;
    this.add(peer);
    return peer;
  }

  /** Adds `amount` to all; their order stays. */
  shift(amount: number): void {
    this.strays.shift(amount);
    const head = this.head;
    let peer = head;
    while (peer !== undefined) {
      peer.current += amount;
      peer = peer.behind === head ? undefined : peer.behind;
    }
  }
}
