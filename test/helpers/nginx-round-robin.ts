import { carryOver } from '../../src/balancer/carry-over.ts';
import { isFailed, isFull, isServing, isUsable, type PoolPeer } from '../../src/balancer/peer.ts';
import type { Server } from '../../src/upstream/server.ts';

/**
 * nginx's balancing the slow and obvious way: one scan of all servers per pick. What the fast one must equal, choice by
 * choice. Source: nginx 1.22, behaviour of ngx_http_upstream_get_peer and of the least_conn module.
 */
export class LinearBalancer {
  readonly peers: PoolPeer[];
  private readonly byLoad: boolean;

  constructor(servers: readonly Server[], byLoad: boolean, previous?: LinearBalancer) {
    this.byLoad = byLoad;
    this.peers = carryOver(servers, previous === undefined ? [] : previous.peers);
    for (const peer of this.peers) {
      const whole = peer.effective >= peer.weight;
      peer.weight = peer.server.weight;
      if (whole || peer.effective > peer.weight) peer.effective = peer.weight;
    }
  }

  pick(tried: readonly PoolPeer[], now: number): PoolPeer | undefined {
    if (this.peers.length === 1) {
      const only = this.peers[0]!;
      if (!isServing(only) || isFull(only) || tried.includes(only)) return undefined;
      only.conns += 1;
      return only;
    }
    let best = this.find(tried, now);
    if (best === undefined && tried.length === 0 && this.onlyFailuresLeaveNobody(now)) {
      for (const peer of this.peers) peer.fails = 0;
      best = this.find(tried, now);
    }
    if (best === undefined) return undefined;
    if (now - best.checked > best.server.failTimeoutMs) best.checked = now;
    best.conns += 1;
    return best;
  }

  done(peer: PoolPeer, failed: boolean, now: number): void {
    peer.conns -= 1;
    if (this.peers.length === 1 || !this.peers.includes(peer)) return;
    if (failed) {
      peer.fails += 1;
      peer.accessed = now;
      peer.checked = now;
      const { weight, maxFails } = peer.server;
      if (maxFails > 0) peer.effective = Math.max(0, peer.effective - Math.floor(weight / maxFails));
    } else if (peer.accessed < peer.checked) {
      peer.fails = 0;
    }
  }

  private onlyFailuresLeaveNobody(now: number): boolean {
    const serving = this.peers.filter(isServing);
    const failed = serving.filter((peer) => isFailed(peer, now));
    return (
      failed.some((peer) => !isFull(peer)) && !serving.some((peer) => !failed.includes(peer) && isFull(peer))
    );
  }

  private find(tried: readonly PoolPeer[], now: number): PoolPeer | undefined {
    const last = tried.at(-1);
    const atBackups = last !== undefined && last.server.backup && this.peers.includes(last);
    for (const backup of atBackups ? [true] : [false, true]) {
      const usable = this.peers.filter(
        (peer) => peer.server.backup === backup && isUsable(peer, now) && !tried.includes(peer),
      );
      const best = this.byLoad ? leastLoaded(usable) : smooth(usable);
      if (best !== undefined) return best;
    }
    return undefined;
  }
}

function smooth(peers: PoolPeer[]): PoolPeer | undefined {
  let total = 0;
  let best: PoolPeer | undefined;
  for (const peer of peers) {
    peer.current += peer.effective;
    total += peer.effective;
    if (peer.effective < peer.weight) peer.effective += 1;
    if (best === undefined || peer.current > best.current) best = peer;
  }
  if (best !== undefined) best.current -= total;
  return best;
}

function leastLoaded(peers: PoolPeer[]): PoolPeer | undefined {
  if (peers.length === 0) return undefined;
  const load = (peer: PoolPeer): number => peer.conns + peer.otherConns;
  let least = peers[0]!;
  for (const peer of peers) if (load(peer) * least.weight < load(least) * peer.weight) least = peer;
  const tied = peers.filter((peer) => load(peer) * least.weight === load(least) * peer.weight);
  return tied.length === 1 ? least : smooth(tied);
}
