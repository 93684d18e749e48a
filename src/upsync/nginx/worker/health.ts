import type { Peer } from '../../../balancer/balancer.ts';
import { FAILED, PROBE, RECOVERED, publish } from './events.ts';
import { noteLoad, sharesLoads } from './loads.ts';
import type { Upstream } from './upstream.ts';

/**
 * Failures counted by one worker count in all, as they do in nginx for an upstream with a `zone`: a dead server costs
 * one request per `max_fails`, not one per worker, and only one worker tries it again.
 */

/** Ends an attempt and tells the other workers what it says of the server. */
export function endAttempt(
  upstream: Upstream,
  peer: Peer,
  failed: boolean,
  now: number,
  responseMs: number,
): void {
  const before = peer.fails;
  upstream.balancer.done(peer, failed, now, responseMs);
  // Asked now and not when it began: a newer list may have given the server a limit meanwhile.
  if (sharesLoads(upstream)) noteLoad(upstream, peer);
  const after = peer.fails;
  if (after === before || peer.server.maxFails === 0) return;
  publish(after > before ? FAILED : RECOVERED, upstream.number, hashOf(peer));
}

/** nginx does not take the address, which is not to happen since it was checked: as good as a server that cannot be reached. */
export function endRefused(upstream: Upstream, peer: Peer, now: number): void {
  ngx.log(ngx.ERR, `upsync: nginx refuses the address ${peer.server.address} of upstream "${upstream.name}"`);
  endAttempt(upstream, peer, true, now, 0);
}

/** To be called after a pick of a server with failures: tells the others when it is a trial. */
export function notePick(upstream: Upstream, peer: Peer, now: number): void {
  if (peer.checked === now && peer.server.maxFails > 0 && peer.fails >= peer.server.maxFails)
    publish(PROBE, upstream.number, hashOf(peer));
}

/** Tells the others that this worker found every server failed and forgot all failures. */
export function noteReset(upstream: Upstream): void {
  publish(RECOVERED, upstream.number, 0);
}

/** Applies what another worker told. */
export function hearOf(upstream: Upstream, kind: number, addressHash: number, now: number): void {
  const balancer = upstream.balancer;
  for (const peer of balancer.peers) {
    if (addressHash !== 0 && hashOf(peer) !== addressHash) continue;
    if (kind === FAILED) balancer.observe(peer, peer.fails + 1, now, now, now);
    else if (kind === RECOVERED) balancer.observe(peer, 0, peer.checked, peer.accessed, now);
    else balancer.observe(peer, peer.fails, now, peer.accessed, now);
  }
}

function hashOf(peer: Peer): number {
  return ngx.crc32_long(peer.server.address);
}
