import type { Peer, PickRequest } from './balancer.ts';
import { RAMP_STEPS, isFailed, isFull, isServing, isUsable, wasTried, type PoolPeer } from './peer.ts';
import type { Shelf } from './shelf.ts';

/**
 * One list of peers, the primary or the backup one: keeps on the shelf exactly those that nginx would consider now,
 * brings failed ones back when their `fail_timeout` ends, and raises weights during a slow start.
 */
export class Pool {
  readonly peers: PoolPeer[] = [];
  /** Sum of the weights of all servers, `down` ones included: the range of the hash methods. */
  totalWeight = 0;
  /** The same of those that take requests. */
  servingWeight = 0;
  /** How many requests are at all of them; 0 unless someone asked for it when the pool was made. */
  load = 0;
  /** True when some server has `max_conns`. */
  limited = false;
  private readonly shelf: Shelf;
  /** True when the shelf orders by load, so that each request moves its peer. */
  private readonly byLoad: boolean;
  private readonly ramps: boolean;
  private readonly countsLoad: boolean;
  private readonly waiting: PoolPeer[] = [];
  private readonly ramping: PoolPeer[] = [];
  /** Nothing changes by time alone before this moment. */
  private wakeAt = Infinity;
  private readonly held: PoolPeer[] = [];

  constructor(shelf: Shelf, byLoad: boolean, ramps: boolean, countsLoad: boolean) {
    this.shelf = shelf;
    this.byLoad = byLoad;
    this.ramps = ramps;
    this.countsLoad = countsLoad;
  }

  /** Appends a peer, whose `current` and `effective` are already what they shall be. */
  join(peer: PoolPeer): void {
    peer.home = this;
    peer.index = this.peers.length;
    this.peers.push(peer);
    this.totalWeight += peer.server.weight;
    if (this.countsLoad) this.load += peer.conns + peer.otherConns;
    if (peer.server.maxConns > 0) this.limited = true;
    const ramps = this.ramps && peer.rampStep < RAMP_STEPS && peer.server.slowStartMs > 0;
    setWeight(peer, ramps ? peer.rampStep : RAMP_STEPS);
    if (ramps) {
      // The clock is not known here; the first pick tells when the ramp began.
      this.ramping.push(peer);
      this.wakeAt = -Infinity;
    }
    if (!isServing(peer)) return;
    this.servingWeight += peer.server.weight;
    if (peer.server.maxFails > 0 && peer.fails >= peer.server.maxFails) this.wait(peer);
    else if (!isFull(peer)) this.shelve(peer);
  }

  /** Gives every peer its state back, for the pool that follows. */
  dissolve(): void {
    for (const peer of this.peers) {
      this.unshelve(peer);
      peer.waiting = false;
      peer.home = undefined;
    }
  }

  /** Does what time alone changes. Call before each choice. */
  refresh(now: number): void {
    if (now > this.wakeAt) this.wake(now);
  }

  /** The shelf's next peer that the request has not tried yet. */
  next(tried: readonly Peer[]): PoolPeer | undefined {
    const count = tried.length;
    if (count === 0) return this.shelf.size > 0 ? this.shelf.next() : undefined;
    const held = this.held;
    for (let i = 0; i < count; i++) {
      const peer = tried[i] as PoolPeer;
      if (peer.home === this && peer.shelved) {
        this.unshelve(peer);
        held.push(peer);
      }
    }
    const peer = this.shelf.size > 0 ? this.shelf.next() : undefined;
    for (let i = held.length; i > 0; i--) this.shelve(held.pop()!);
    return peer;
  }

  /** The shelf's next peer, already counted; undefined when time has something to do first or the shelf is empty. */
  takeNext(now: number): PoolPeer | undefined {
    if (now > this.wakeAt || this.shelf.size === 0) return undefined;
    const peer = this.shelf.next();
    if (peer === undefined) return undefined;
    // When it was last checked only matters once it has failed.
    if (peer.fails > 0) this.take(peer, now);
    else peer.conns += 1;
    return peer;
  }

  /** Counts a request to `peer`; one that had failed and waited long enough is on probation from now. */
  take(peer: PoolPeer, now: number): void {
    const server = peer.server;
    if (now - peer.checked > server.failTimeoutMs) peer.checked = now;
    if (this.countsLoad) this.load += 1;
    if (this.byLoad) {
      if (peer.shelved) this.unshelve(peer);
      peer.conns += 1;
      this.settle(peer, now);
    } else {
      peer.conns += 1;
      if (server.maxConns > 0 || (server.maxFails > 0 && peer.fails >= server.maxFails))
        this.settle(peer, now);
    }
  }

  /** Smooth round robin among the peers of one address that the request may use: `first` and its twins. */
  among(first: PoolPeer, request: PickRequest): PoolPeer | undefined {
    let total = 0;
    let best: PoolPeer | undefined;
    let peer: PoolPeer | undefined = first;
    const held = this.held;
    while (peer !== undefined) {
      if (!wasTried(request.tried, peer) && isUsable(peer, request.now)) {
        if (peer.shelved) {
          this.unshelve(peer);
          held.push(peer);
        }
        peer.current += peer.effective;
        total += peer.effective;
        peer.effective = Math.min(peer.weight, peer.effective + 1);
        if (best === undefined || peer.current > best.current) best = peer;
      }
      peer = peer.twin;
    }
    if (best !== undefined) best.current -= total;
    while (held.length > 0) this.shelve(held.pop()!);
    return best;
  }

  /** What `among` does to a peer without twins. */
  recover(peer: PoolPeer): void {
    if (peer.effective >= peer.weight) return;
    const shelved = peer.shelved;
    if (shelved) this.unshelve(peer);
    peer.effective = Math.min(peer.weight, peer.effective + 1);
    if (shelved) this.shelve(peer);
  }

  /** Sets how many requests are at `peer`. */
  setLoad(peer: PoolPeer, conns: number, otherConns: number, now: number): void {
    if (this.byLoad && peer.shelved) this.unshelve(peer);
    if (this.countsLoad) this.load += conns + otherConns - peer.conns - peer.otherConns;
    peer.conns = conns;
    peer.otherConns = otherConns;
    if (this.byLoad || peer.server.maxConns > 0) this.settle(peer, now);
  }

  /** Lowers the effective weight by what one failure costs, and passes the peer over if it had too many. */
  punish(peer: PoolPeer, now: number): void {
    const server = peer.server;
    if (server.maxFails === 0) return;
    if (peer.shelved) this.unshelve(peer);
    peer.effective = Math.max(0, peer.effective - Math.floor(server.weight / server.maxFails));
    this.settle(peer, now);
  }

  /** Puts the peer where its failures and load say. */
  settle(peer: PoolPeer, now: number): void {
    if (isServing(peer)) {
      const failed = isFailed(peer, now);
      if (failed) this.wait(peer);
      if (!failed && !isFull(peer)) {
        if (!peer.shelved) this.shelve(peer);
        return;
      }
    }
    if (peer.shelved) this.unshelve(peer);
  }

  /** Begins a slow start, if the server has one and the method honours it. */
  startRamp(peer: PoolPeer, now: number): void {
    if (!this.ramps || peer.server.slowStartMs === 0) return;
    if (peer.rampStep === RAMP_STEPS) this.ramping.push(peer);
    this.reweigh(peer, 1);
    peer.rampStart = now;
    this.wakeAt = Math.min(this.wakeAt, now);
  }

  /** Forgets all failures. */
  forgive(now: number): void {
    for (const peer of this.peers) {
      const failed = isFailed(peer, now);
      peer.fails = 0;
      if (failed) this.settle(peer, now);
    }
  }

  private shelve(peer: PoolPeer): void {
    peer.shelved = true;
    this.shelf.add(peer);
  }

  private unshelve(peer: PoolPeer): void {
    if (!peer.shelved) return;
    peer.shelved = false;
    this.shelf.remove(peer);
  }

  private wait(peer: PoolPeer): void {
    this.wakeAt = Math.min(this.wakeAt, peer.checked + peer.server.failTimeoutMs);
    if (peer.waiting) return;
    peer.waiting = true;
    this.waiting.push(peer);
  }

  private reweigh(peer: PoolPeer, step: number): void {
    const shelved = peer.shelved;
    if (shelved) this.unshelve(peer);
    setWeight(peer, step);
    if (shelved) this.shelve(peer);
  }

  private wake(now: number): void {
    this.wakeAt = Infinity;
    const waiting = this.waiting;
    for (let i = waiting.length - 1; i >= 0; i--) {
      const peer = waiting[i]!;
      if (isFailed(peer, now)) {
        this.wakeAt = Math.min(this.wakeAt, peer.checked + peer.server.failTimeoutMs);
      } else {
        dropAt(waiting, i);
        peer.waiting = false;
        this.settle(peer, now);
      }
    }
    this.rampUp(now);
  }

  private rampUp(now: number): void {
    const ramping = this.ramping;
    for (let i = ramping.length - 1; i >= 0; i--) {
      const peer = ramping[i]!;
      if (peer.rampStart < 0) peer.rampStart = now;
      const stepMs = peer.server.slowStartMs / RAMP_STEPS;
      const step = Math.min(RAMP_STEPS, 1 + Math.floor((now - peer.rampStart) / stepMs));
      if (step !== peer.rampStep) this.reweigh(peer, Math.max(1, step));
      if (step >= RAMP_STEPS) dropAt(ramping, i);
      else this.wakeAt = Math.min(this.wakeAt, peer.rampStart + step * stepMs);
    }
  }
}

/** The weight at a step of the ramp; an effective weight that was whole stays whole. */
function setWeight(peer: PoolPeer, step: number): void {
  const weight = (peer.server.weight * step) / RAMP_STEPS;
  const whole = peer.effective >= peer.weight;
  peer.rampStep = step;
  peer.weight = weight;
  if (whole || peer.effective > weight) peer.effective = weight;
}

function dropAt(list: PoolPeer[], index: number): void {
  const last = list.pop()!;
  if (index < list.length) list[index] = last;
}
