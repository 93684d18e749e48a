import type { Peer } from '../../../balancer/balancer.ts';
import { endPlain } from '../../../balancer/peer.ts';
import { endRefused, notePick } from './health.ts';
import { sendTo } from './kept-peers.ts';
import type { WorkerServer } from './list.ts';
import { isByLoad } from './loads.ts';
import { bringBackLog, isLogLeftOut, leaveOutLog } from './log-phase.ts';
import { setMoreTries } from './nginx-balancer.ts';
import { mayHaveFailed } from './outcome.ts';
import type { Upstream } from './upstream.ts';

/**
 * The usual way of a request: one server by round robin, and an answer. All that is kept of it is the server, by the
 * address of nginx's request; an `Attempt` is opened only when there is more to remember.
 */
const peers: Record<number, Peer | undefined> = {};
/** How many there are; a request looks for its own only when there is one. */
let open = 0;
/** The same for requests of any method that end without a log phase; what is left of ended ones is overwritten some day. */
const unlogged: Record<number, Peer | undefined> = {};

/**
 * Before 1.19.6 nginx counted the placeholder server of the translated upstream as one try of its own.
 * Source: nginx CHANGES 1.19.6, "no live upstreams" errors with a server marked as "down".
 */
const OWN_TRIES = ngx.config.nginx_version < 1_019_006 ? 1 : 0;

const readMethod = ngx.req.get_method;

/** Sends a request that tried no server yet; false when that takes more than the usual way. */
export function sendPlain(id: number, upstream: Upstream, now: number): boolean {
  const balancer = upstream.balancer;
  const peer = balancer.pickPlain(now);
  if (peer === undefined) return false;
  const server = peer.server as WorkerServer;
  if (peer.fails > 0) notePick(upstream, peer, now);
  if (!sendTo(server)) {
    endRefused(upstream, peer, now);
    return false;
  }
  allowTries(balancer.tries);
  if (endsUnheard(id, upstream, peer)) return true;
  peers[id] = peer;
  open += 1;
  return true;
}

/** Lets a request, which the server at hand is the first for, end without the log phase; false when its end is of use. */
export function endsUnheard(id: number, upstream: Upstream, peer: Peer): boolean {
  if (!isEndOfNoUse(upstream, peer) || !leaveOutLog()) return false;
  // Nobody will end it, so it counts as ended.
  peer.conns -= 1;
  unlogged[id] = peer;
  return true;
}

/**
 * True when how the request ends tells nothing new. A failure comes back to the balancer, and is heard of there, when
 * another server can be tried and nginx may repeat the request; success is no news of a server that has not failed.
 */
function isEndOfNoUse(upstream: Upstream, peer: Peer): boolean {
  if (upstream.limited || isByLoad(upstream)) return false;
  // The failures of an only server do not count.
  if (peer.server.maxFails === 0 || upstream.balancer.peers[1] === undefined) return true;
  if (peer.fails > 0 || upstream.balancer.tries < 2) return false;
  const method = readMethod();
  return method === 'GET' || method === 'HEAD';
}

/** Lets nginx ask again as often as the current list has servers. */
export function allowTries(tries: number): void {
  if (tries > 1) setMoreTries(tries - OWN_TRIES);
}

/** True when nginx's request `id` was sent somewhere by `sendPlain` or left to `endsUnheard`, and has not ended. */
export function isPlain(id: number): boolean {
  return (open > 0 && peers[id] !== undefined) || isLogLeftOut();
}

/** The server of such a request, which somebody else ends from now on. */
export function takePlain(id: number): Peer | undefined {
  return isLogLeftOut() ? takeUnlogged(id) : takeLogged(id);
}

/** Ends the request if its server surely answered and that is no news; otherwise gives the server back to be ended. */
export function finishPlain(id: number): Peer | undefined {
  const peer = takeLogged(id);
  if (peer === undefined || mayHaveFailed() || !endPlain(peer)) return peer;
  return undefined;
}

function takeLogged(id: number): Peer | undefined {
  if (open === 0) return undefined;
  const peer = peers[id];
  if (peer === undefined) return undefined;
  peers[id] = undefined;
  open -= 1;
  return peer;
}

function takeUnlogged(id: number): Peer | undefined {
  bringBackLog();
  const peer = unlogged[id];
  unlogged[id] = undefined;
  if (peer !== undefined) peer.conns += 1;
  return peer;
}
