import { type Server } from '../upstream/server-type.ts';
import { type Balancer, type BalancerOptions } from './balancer.ts';
import { carryOver } from './carry-over.ts';
import { LeastConnShelf } from './least-conn.ts';
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
  const primary = createPool(options);
  const backup = createPool(options);
  for (const peer of peers) (peer.server.backup ? backup : primary).join(peer);
  if (before === undefined && options.seed !== 0) {
    turnTo(primary, peers, options.seed);
    turnTo(backup, peers, options.seed);
  }
  return new PoolBalancer(options.method, peers, primary, backup);
}

function createPool(options: BalancerOptions): Pool {
  const byLoad = options.method === 'least_conn';
  // As in nginx Plus: a hash or a random choice goes by the configured weights, so a slow start has no place there.
  const ramps = byLoad || options.method === 'round_robin' || options.method === 'ewma';
  return new Pool(byLoad ? new LeastConnShelf() : new Wheel(), byLoad, ramps);
}

/** Starts the cycle elsewhere, by as many choices as one round or a few thousand have. */
function turnTo(pool: Pool, peers: readonly PoolPeer[], seed: number): void {
  const limit = Math.min(pool.totalWeight, 4 * peers.length + 256);
  for (let skip = new Prng(seed).below(limit); skip > 0; skip--) pool.next([]);
}
