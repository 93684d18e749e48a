import type { Server } from '../upstream/server-type.ts';
import type { Peer } from './balancer.ts';
import { createPeer, isServing, type PoolPeer } from './peer.ts';

/**
 * The peers of a new list, in its order: those whose address stays are the same objects with their state, so an update
 * neither restarts the cycle nor forgets failures. Their attributes change at once.
 */
export function carryOver(servers: readonly Server[], previous: readonly Peer[]): PoolPeer[] {
  const known = new Map<string, PoolPeer>();
  for (let i = previous.length - 1; i >= 0; i--) {
    const peer = previous[i] as PoolPeer;
    peer.twin = known.get(peer.server.address);
    known.set(peer.server.address, peer);
  }
  const peers: PoolPeer[] = [];
  const stayed: PoolPeer[] = [];
  for (const server of servers) {
    let peer = known.get(server.address);
    if (peer === undefined) {
      peer = createPeer(server);
      if (previous.length > 0) markRamp(peer);
    } else {
      if (peer.twin === undefined) known.delete(server.address);
      else known.set(server.address, peer.twin);
      const wasServing = isServing(peer);
      peer.server = server;
      if (!wasServing && isServing(peer)) markRamp(peer);
      stayed.push(peer);
    }
    peers.push(peer);
  }
  for (const peer of peers) peer.twin = undefined;
  level(stayed, peers);
  return peers;
}

/** The slow start begins with the first pick; servers without one ignore the mark. */
function markRamp(peer: PoolPeer): void {
  peer.rampStep = 1;
  peer.rampStart = -1;
}

/**
 * Moves the current weights of those that stayed around zero, which is where newcomers start: in the middle of the
 * cycle. Distances, and so the sequence, stay as they are, unless the list shrank so much that somebody would be picked
 * many times in a row to catch up; then distances shrink in proportion.
 */
function level(stayed: readonly PoolPeer[], peers: readonly PoolPeer[]): void {
  if (stayed.length === 0) return;
  let sum = 0;
  for (const peer of stayed) sum += peer.current;
  const mean = Math.floor(sum / stayed.length);
  let total = 0;
  for (const peer of peers) if (isServing(peer)) total += peer.server.weight;
  let spread = 0;
  for (const peer of stayed) {
    peer.current -= mean;
    spread = Math.max(spread, Math.abs(peer.current));
  }
  if (spread <= total || total === 0) return;
  for (const peer of stayed) peer.current = Math.floor((peer.current * total) / spread);
}
