import { Calendar } from './calendar.ts';
import { Group } from './group.ts';
import type { PoolPeer } from './peer.ts';
import type { Shelf } from './shelf.ts';

/** Numbers stay far below 2^53: the largest weight, a million, times this many turns. */
const MAX_TURN = 16_777_216;
/** Up to so many distinct weights a scan of them all is quicker than a calendar. */
const MAX_SCAN = 48;

/**
 * Smooth weighted round robin with nginx's exact sequence, at a cost that does not grow with the list, where nginx's
 * grows with n. Holds only peers that may be picked now; whoever leaves takes its current weight along, and whoever
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
  /** The top peers' positions in the list, which decide ties. */
  private readonly topIndexes: number[] = [];
  private calendar: Calendar | undefined;
  /** The only group, while no peer is weak: the usual case. What is copied of it is not kept up to date meanwhile. */
  private alone: Group | undefined = undefined;
  private readonly maxScan: number;
  /** By negated weight: LuaJIT does not compile look-ups in a table that mixes array and hash parts. */
  private readonly byWeight = new Map<number, Group>();
  /** Peers whose effective weight is below their weight; few, and not for long. */
  private readonly weak: PoolPeer[] = [];

  /** With more than `maxScan` distinct weights a calendar finds the next one. */
  constructor(maxScan = MAX_SCAN) {
    this.maxScan = maxScan;
  }

  add(peer: PoolPeer): void {
    this.size += 1;
    if (peer.effective < peer.weight) {
      peer.slot = this.weak.length;
      this.weak.push(peer);
    } else {
      this.addWhole(peer);
    }
    this.lookAround();
  }

  remove(peer: PoolPeer): void {
    this.size -= 1;
    const group = peer.group as Group | undefined;
    if (group === undefined) {
      this.removeWeak(peer);
    } else {
      group.remove(peer);
      peer.current += group.weight * this.turn;
      this.total -= group.weight;
      if (group.size === 0) this.dropGroup(group);
      else this.note(group);
    }
    this.lookAround();
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
    const alone = this.alone;
    if (alone !== undefined) return alone.lowerTop(this.total);
    const best = this.bestGroup(turn);
    if (this.weak.length > 0) return this.nextWithWeak(best, turn);
    if (best < 0) return undefined;
    const group = this.groups[best]!;
    const peer = group.lowerTop(this.total);
    this.note(group);
    return peer;
  }

  private lookAround(): void {
    const groups = this.groups;
    const alone = groups.length === 1 && this.weak.length === 0 ? groups[0] : undefined;
    const before = this.alone;
    if (alone === before) return;
    this.alone = alone;
    if (before !== undefined && before.size > 0) this.note(before);
  }

  private bestGroup(turn: number): number {
    const count = this.groups.length;
    // One weight for all, the usual case, needs no loop: LuaJIT then compiles the pick and all around it as one.
    if (count <= 1) return count - 1;
    return count > this.maxScan ? this.winner(turn) : this.scan(turn);
  }

  private scan(turn: number): number {
    const { weights, topKeys } = this;
    const count = topKeys.length;
    let best = -1;
    let bestValue = -Infinity;
    for (let i = 0; i < count; i++) {
      const value = topKeys[i]! + weights[i]! * turn;
      if (value > bestValue || (value === bestValue && this.topIndexes[i]! < this.topIndexes[best]!)) {
        best = i;
        bestValue = value;
      }
    }
    return best;
  }

  private winner(turn: number): number {
    const count = this.groups.length;
    let calendar = this.calendar;
    if (calendar === undefined || !calendar.hasRoom(count)) {
      let room = 2;
      while (room < 2 * count) room *= 2;
      calendar = new Calendar(room, this.topKeys, this.weights, this.topIndexes, turn);
      this.calendar = calendar;
    }
    return calendar.best(turn);
  }

  /** Copies what the scan and the calendar need to know of a group that changed. */
  private note(group: Group): void {
    const place = group.place;
    this.topKeys[place] = group.topKey();
    this.topIndexes[place] = group.top().index;
    if (this.calendar !== undefined) this.touch(place);
  }

  private touch(place: number): void {
    const calendar = this.calendar;
    if (calendar === undefined) return;
    if (calendar.hasRoom(place + 1)) calendar.touch(place);
    else this.calendar = undefined;
  }

  private nextWithWeak(strong: number, turn: number): PoolPeer | undefined {
    const weak = this.weak;
    const count = weak.length;
    const group = strong < 0 ? undefined : this.groups[strong]!;
    let best = group === undefined ? undefined : group.top();
    let bestValue = strong < 0 ? -Infinity : this.topKeys[strong]! + this.weights[strong]! * turn;
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
      this.note(group);
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
    this.lookAround();
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
      this.topIndexes.push(0);
    }
    peer.current -= weight * this.turn;
    group.add(peer);
    this.note(group);
    this.total += weight;
  }

  private removeWeak(peer: PoolPeer): void {
    const last = this.weak.pop()!;
    if (last !== peer) {
      this.weak[peer.slot] = last;
      last.slot = peer.slot;
    }
    peer.slot = -1;
  }

  private dropGroup(group: Group): void {
    const last = this.groups.pop()!;
    const weight = this.weights.pop()!;
    const topKey = this.topKeys.pop()!;
    const topIndex = this.topIndexes.pop()!;
    this.touch(this.groups.length);
    if (last === group) return;
    const place = group.place;
    this.groups[place] = last;
    this.weights[place] = weight;
    this.topKeys[place] = topKey;
    this.topIndexes[place] = topIndex;
    last.place = place;
    this.touch(place);
  }

  private rewind(): void {
    this.calendar = undefined;
    for (const group of this.groups) {
      group.shift(group.weight * this.turn);
      this.note(group);
    }
    this.turn = 0;
  }
}
