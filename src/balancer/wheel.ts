import { Group } from './group.ts';
import { type PoolPeer } from './peer.ts';
import { type Shelf } from './shelf.ts';

/** Numbers stay far below 2^53: weight 65535 times this many turns. */
const MAX_TURN = 16_777_216;

/**
 * Smooth weighted round robin with nginx's exact sequence, at a cost of the number of distinct weights plus log n
 * instead of nginx's n. Holds only peers that may be picked now; whoever leaves takes its current weight along, and whoever
 * comes back continues with it, exactly as a peer does that nginx passes over for a while.
 * Source: nginx 1.22, behaviour of ngx_http_upstream_get_peer.
 */
export class Wheel implements Shelf {
  size = 0;
  /** Sum of the weights of all groups' peers. */
  private total = 0;
  private turn = 0;
  /** The groups that have peers, and in the same order their weights and top keys: one flat scan per pick. */
  private readonly groups: Group[] = [];
  private readonly weights: number[] = [];
  private readonly topKeys: number[] = [];
  /** By negated weight: LuaJIT does not compile look-ups in a table that mixes array and hash parts. */
  private readonly byWeight = new Map<number, Group>();
  /** Peers whose effective weight is below their weight; few, and not for long. */
  private readonly weak: PoolPeer[] = [];

  add(peer: PoolPeer): void {
    this.size += 1;
    if (peer.effective < peer.weight) {
      peer.slot = this.weak.length;
      this.weak.push(peer);
    } else {
      this.addWhole(peer);
    }
  }

  remove(peer: PoolPeer): void {
    this.size -= 1;
    const group = peer.group as Group | undefined;
    if (group === undefined) {
      this.removeWeak(peer);
      return;
    }
    group.remove(peer);
    peer.current += group.weight * this.turn;
    this.total -= group.weight;
    if (group.size === 0) this.dropGroup(group);
    else this.topKeys[group.place] = group.topKey();
  }

  /** The only peer; `size` must be 1. */
  only(): PoolPeer {
    return this.weak.length > 0 ? this.weak[0]! : this.groups[0]!.top();
  }

  /** The next peer of the cycle, undefined when there is none. */
  next(): PoolPeer | undefined {
    if (this.turn >= MAX_TURN) this.rewind();
    const turn = this.turn + 1;
    this.turn = turn;
    const weights = this.weights;
    const topKeys = this.topKeys;
    const count = topKeys.length;
    let best = -1;
    let bestValue = -Infinity;
    for (let i = 0; i < count; i++) {
      const value = topKeys[i]! + weights[i]! * turn;
      if (value > bestValue || (value === bestValue && this.isEarlier(i, best))) {
        best = i;
        bestValue = value;
      }
    }
    if (this.weak.length > 0) return this.nextWithWeak(best, bestValue);
    if (best < 0) return undefined;
    const group = this.groups[best]!;
    const peer = group.top();
    group.lowerTop(this.total);
    topKeys[best] = group.topKey();
    return peer;
  }

  private isEarlier(group: number, other: number): boolean {
    return this.groups[group]!.top().index < this.groups[other]!.top().index;
  }

  private nextWithWeak(strong: number, strongValue: number): PoolPeer | undefined {
    const weak = this.weak;
    const count = weak.length;
    const group = strong < 0 ? undefined : this.groups[strong]!;
    let best = group === undefined ? undefined : group.top();
    let bestValue = strongValue;
    let total = this.total;
    for (let i = 0; i < count; i++) {
      const peer = weak[i]!;
      peer.current += peer.effective;
      total += peer.effective;
      peer.effective = Math.min(peer.weight, peer.effective + 1);
      if (
        best === undefined ||
        peer.current > bestValue ||
        (peer.current === bestValue && peer.index < best.index)
      ) {
        best = peer;
        bestValue = peer.current;
      }
    }
    if (group !== undefined && best === group.top()) {
      group.lowerTop(total);
      this.topKeys[strong] = group.topKey();
    } else if (best !== undefined) {
      best.current -= total;
    }
    for (let i = count - 1; i >= 0; i--) {
      const peer = weak[i]!;
      if (peer.effective >= peer.weight) {
        this.removeWeak(peer);
        this.addWhole(peer);
      }
    }
    return best;
  }

  private addWhole(peer: PoolPeer): void {
    const weight = peer.weight;
    let group = this.byWeight.get(-weight);
    if (group === undefined) {
      group = new Group(weight);
      this.byWeight.set(-weight, group);
    }
    if (group.size === 0) {
      group.place = this.groups.length;
      this.groups.push(group);
      this.weights.push(weight);
      this.topKeys.push(0);
    }
    peer.current -= weight * this.turn;
    group.add(peer);
    this.topKeys[group.place] = group.topKey();
    this.total += weight;
  }

  private removeWeak(peer: PoolPeer): void {
    const last = this.weak.pop()!;
    if (last === peer) return;
    this.weak[peer.slot] = last;
    last.slot = peer.slot;
  }

  private dropGroup(group: Group): void {
    const last = this.groups.pop()!;
    const weight = this.weights.pop()!;
    const topKey = this.topKeys.pop()!;
    if (last === group) return;
    const place = group.place;
    this.groups[place] = last;
    this.weights[place] = weight;
    this.topKeys[place] = topKey;
    last.place = place;
  }

  private rewind(): void {
    for (const group of this.groups) {
      group.shift(group.weight * this.turn);
      this.topKeys[group.place] = group.topKey();
    }
    this.turn = 0;
  }
}
