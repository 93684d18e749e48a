import type { Peer } from '../../../balancer/balancer.ts';
import { endPlain } from '../../../balancer/peer.ts';
import { endRefused, notePick } from './health.ts';
import type { WorkerServer } from './list.ts';
import { setMoreTries, setPeer } from './nginx-balancer.ts';
import { mayHaveFailed } from './outcome.ts';
import type { Upstream } from './upstream.ts';

/**
 * The usual way of a request: one server by round robin, and an answer. All that is kept of it is the server, by the
 * address of nginx's request; an `Attempt` is opened only when there is more to remember.
 */
const peers: Record<number, Peer | undefined> = {};

/**
 * Before 1.19.6 nginx counted the placeholder server of the translated upstream as one try of its own.
 * Source: nginx CHANGES 1.19.6, "no live upstreams" errors with a server marked as "down".
 */
const OWN_TRIES = ngx.config.nginx_version < 1_019_006 ? 1 : 0;

/** Sends a request that tried no server yet; false when that takes more than the usual way. */
export function sendPlain(id: number, upstream: Upstream, now: number): boolean {
  const balancer = upstream.balancer;
  const peer = balancer.pickPlain(now);
  if (peer === undefined) return false;
  const server = peer.server as WorkerServer;
  if (peer.fails > 0) notePick(upstream, peer, now);
  if (!setPeer(server.host, server.port)) {
    endRefused(upstream, peer, now);
    return false;
  }
  peers[id] = peer;
  allowTries(balancer.tries);
  return true;
}

/** Lets nginx ask again as often as the current list has servers. */
export function allowTries(tries: number): void {
  if (tries > 1) setMoreTries(tries - OWN_TRIES);
}

/** The server that nginx's request `id` was sent to by `sendPlain`, unless it ended. */
export function plainPeer(id: number): Peer | undefined {
  return peers[id];
}

/** Forgets it: someone else ends the request. */
export function takePlain(id: number): Peer | undefined {
  const peer = peers[id];
  if (peer !== undefined) peers[id] = undefined;
  return peer;
}

/** Ends the request if its server surely answered and that is no news; otherwise gives the server back to be ended. */
export function finishPlain(id: number): Peer | undefined {
  const peer = takePlain(id);
  if (peer === undefined || mayHaveFailed() || !endPlain(peer)) return peer;
  return undefined;
}
