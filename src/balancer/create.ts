import { type Server } from '../upstream/server-type.ts';
import { type Balancer, type BalancerOptions } from './balancer.ts';
import { carryOver } from './carry-over.ts';
import { type PoolPeer } from './peer.ts';
import { PoolBalancer } from './pool-balancer.ts';
import { Pool } from './pool.ts';
import { Prng } from './prng.ts';
import { Wheel } from './wheel.ts';

/**
 * Builds the balancer of a list. With `previous`, servers whose address stays keep their `Peer` object and its state, and
 * `previous` must not be used any more; requests it gave out are ended with the new one's `done`.
 */
export function createBalancer(
  options: BalancerOptions,
  servers: readonly Server[],
  previous?: Balancer,
): Balancer {
  const before = previous as PoolBalancer | undefined;
  if (before !== undefined) {
    before.primary.dissolve();
    before.backup.dissolve();
  }
  const peers = carryOver(servers, before === undefined ? [] : before.peers);
  const primary = new Pool(new Wheel(), false, true);
  const backup = new Pool(new Wheel(), false, true);
  for (const peer of peers) (peer.server.backup ? backup : primary).join(peer);
  if (before === undefined && options.seed !== 0) {
    turnTo(primary, peers, options.seed);
    turnTo(backup, peers, options.seed);
  }
  return new PoolBalancer(options.method, peers, primary, backup);
}

/** Starts the cycle elsewhere, by as many choices as one round or a few thousand have. */
function turnTo(pool: Pool, peers: readonly PoolPeer[], seed: number): void {
  const limit = Math.min(pool.totalWeight, 4 * peers.length + 256);
  for (let skip = new Prng(seed).below(limit); skip > 0; skip--) pool.next([]);
}
