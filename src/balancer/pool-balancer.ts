import type { Balancer, Method, Peer, PickRequest } from './balancer.ts';
import type { Chooser } from './chooser.ts';
import { isFailed, isFull, isServing, wasTried, type PoolPeer } from './peer.ts';
import type { Pool } from './pool.ts';

/**
 * Every method's balancer: two pools, nginx's passive health, and the method's chooser where it has one.
 * Source: nginx 1.22, behaviour of ngx_http_upstream_round_robin.c; a single server's failures are not counted there.
 */
export class PoolBalancer implements Balancer {
  readonly method: Method;
  readonly peers: readonly PoolPeer[];
  readonly tries: number;
  readonly primary: Pool;
  readonly backup: Pool;
  readonly chooser: Chooser | undefined;
  resets = 0;
  /** The only server of the list, which gets every request whatever its failures. */
  private readonly single: PoolPeer | undefined;
  private readonly hasBackup: boolean;
  /** Where the list allows the shortest way: its only server, or else the pool that decides by its shelf alone. */
  private readonly plainSingle: PoolPeer | undefined;
  private readonly plainPool: Pool | undefined;

  constructor(method: Method, peers: PoolPeer[], primary: Pool, backup: Pool, chooser?: Chooser) {
    this.method = method;
    this.peers = peers;
    this.primary = primary;
    this.backup = backup;
    this.hasBackup = backup.peers.length > 0;
    this.single = peers.length === 1 ? peers[0] : undefined;
    this.chooser = this.single === undefined ? chooser : undefined;
    const unlimited = !primary.limited && !backup.limited;
    const { single } = this;
    this.plainSingle = single !== undefined && unlimited && isServing(single) ? single : undefined;
    this.plainPool = method === 'round_robin' && single === undefined && unlimited ? primary : undefined;
    let tries = 0;
    for (const peer of peers) if (isServing(peer)) tries += 1;
    this.tries = Math.max(1, tries);
  }

  pick(request: PickRequest): Peer | undefined {
    if (this.single !== undefined) return this.pickSingle(this.single, request);
    const atBackups = this.isAtBackups(request.tried);
    let peer = this.find(request, atBackups);
    const mayForgive = request.tried.length === 0 || request.lastResort === true;
    if (peer === undefined && mayForgive && (this.forgiveAll(request) || atBackups))
      peer = this.find(request, false);
    if (peer === undefined) return undefined;
    (peer.home as Pool).take(peer, request.now);
    return peer;
  }

  pickPlain(now: number): Peer | undefined {
    const pool = this.plainPool;
    if (pool !== undefined) return pool.takeNext(now);
    const single = this.plainSingle;
    if (single !== undefined) single.conns += 1;
    return single;
  }

  done(peer: Peer, failed: boolean, now: number, responseMs: number): void {
    const own = peer as PoolPeer;
    const pool = own.home as Pool | undefined;
    const conns = Math.max(0, own.conns - 1);
    if (pool === undefined) {
      own.conns = conns;
      return;
    }
    pool.setLoad(own, conns, own.otherConns, now);
    if (this.single === undefined) {
      if (failed) {
        this.setHealth(own, own.fails + 1, now, now, now);
        pool.punish(own, now);
      } else if (own.accessed < own.checked) {
        this.setHealth(own, 0, own.checked, own.accessed, now);
      }
    }
    if (this.chooser !== undefined && this.chooser.ended !== undefined)
      this.chooser.ended(own, failed, now, responseMs);
  }

  observe(peer: Peer, fails: number, checked: number, accessed: number, now: number): void {
    this.setHealth(peer as PoolPeer, fails, checked, accessed, now);
  }

  setOtherConns(peer: Peer, count: number, now: number): void {
    const own = peer as PoolPeer;
    const pool = own.home as Pool | undefined;
    if (pool !== undefined && own.otherConns !== count) pool.setLoad(own, own.conns, count, now);
  }

  private pickSingle(peer: PoolPeer, request: PickRequest): Peer | undefined {
    if (!isServing(peer) || isFull(peer) || wasTried(request.tried, peer)) return undefined;
    (peer.home as Pool).setLoad(peer, peer.conns + 1, peer.otherConns, request.now);
    return peer;
  }

  /** As in nginx, a request that went on to the backup servers stays with them, also when a primary one is back by then. */
  private isAtBackups(tried: readonly Peer[]): boolean {
    const count = tried.length;
    return count > 0 && this.hasBackup && (tried[count - 1] as PoolPeer).home === this.backup;
  }

  private find(request: PickRequest, onlyBackups: boolean): PoolPeer | undefined {
    let peer: PoolPeer | undefined;
    if (!onlyBackups) {
      this.primary.refresh(request.now);
      if (this.chooser !== undefined) peer = this.chooser.choose(request);
      if (peer === undefined) peer = this.primary.next(request.tried);
    }
    if (peer === undefined && this.hasBackup) {
      this.backup.refresh(request.now);
      peer = this.backup.next(request.tried);
    }
    return peer;
  }

  /**
   * When failures alone leave nobody to ask, they are forgotten and all are tried again, rather than refuse until a timeout
   * ends. A server that is well but full is a matter of load, which requests to failed servers do not help.
   */
  private forgiveAll(request: PickRequest): boolean {
    let found = false;
    for (const peer of this.peers) {
      if (!isServing(peer) || wasTried(request.tried, peer)) continue;
      const failed = isFailed(peer, request.now);
      const full = isFull(peer);
      if (full && !failed) return false;
      if (failed && !full) found = true;
    }
    if (!found) return false;
    this.primary.forgive(request.now);
    this.backup.forgive(request.now);
    this.resets += 1;
    return true;
  }

  private setHealth(peer: PoolPeer, fails: number, checked: number, accessed: number, now: number): void {
    const maxFails = peer.server.maxFails;
    const wasOut = maxFails > 0 && peer.fails >= maxFails;
    peer.fails = fails;
    peer.checked = checked;
    peer.accessed = accessed;
    const pool = peer.home as Pool | undefined;
    if (pool === undefined || maxFails === 0) return;
    if (wasOut && fails < maxFails) pool.startRamp(peer, now);
    if (wasOut || fails >= maxFails) pool.settle(peer, now);
  }
}
