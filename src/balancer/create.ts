import type { Server } from '../upstream/server-type.ts';
import type { Balancer, BalancerOptions } from './balancer.ts';
import { BoundedChooser } from './bounded-hash.ts';
import { carryOver } from './carry-over.ts';
import type { Chooser } from './chooser.ts';
import { EwmaChooser } from './ewma.ts';
import { ConsistentChooser } from './hash-consistent.ts';
import { HashChooser } from './hash.ts';
import { IpHashChooser } from './ip-hash.ts';
import { LeastConnShelf } from './least-conn.ts';
import type { PoolPeer } from './peer.ts';
import { PoolBalancer } from './pool-balancer.ts';
import { Pool } from './pool.ts';
import { Prng } from './prng.ts';
import { RandomChooser } from './random.ts';
import { Ring } from './ring.ts';
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
  const chooser = primary.peers.length > 0 ? createChooser(options, primary, before) : undefined;
  return new PoolBalancer(options.method, peers, primary, backup, chooser);
}

function createChooser(
  options: BalancerOptions,
  pool: Pool,
  before: PoolBalancer | undefined,
): Chooser | undefined {
  const method = options.method;
  if (method === 'hash') return new HashChooser(pool.peers);
  if (method === 'ip_hash') return new IpHashChooser(pool.peers);
  if (method === 'random') return new RandomChooser(pool.peers, prngOf(options, before), false);
  if (method === 'random_two_least_conn') return new RandomChooser(pool.peers, prngOf(options, before), true);
  if (method === 'ewma') return new EwmaChooser(pool.peers, prngOf(options, before));
  if (method === 'hash_consistent') return new ConsistentChooser(pool, new Ring(pool.peers, ringOf(before)));
  if (method === 'bounded_hash')
    return new BoundedChooser(pool, new Ring(pool.peers, ringOf(before)), options.loadFactor);
  return undefined;
}

/** Random choices go on where they were, so that an update does not repeat them. */
function prngOf(options: BalancerOptions, before: PoolBalancer | undefined): Prng {
  if (before !== undefined && before.method === options.method) {
    const chooser = before.chooser as RandomChooser | EwmaChooser | undefined;
    if (chooser !== undefined && chooser.prng !== undefined) return chooser.prng;
  }
  return new Prng(options.seed);
}

function ringOf(before: PoolBalancer | undefined): Ring | undefined {
  if (before === undefined) return undefined;
  if (before.method !== 'hash_consistent' && before.method !== 'bounded_hash') return undefined;
  return (before.chooser as ConsistentChooser | BoundedChooser | undefined)?.ring;
}

function createPool(options: BalancerOptions): Pool {
  const byLoad = options.method === 'least_conn';
  // As in nginx Plus: a hash or a random choice goes by the configured weights, so a slow start has no place there.
  const ramps = byLoad || options.method === 'round_robin' || options.method === 'ewma';
  const countsLoad = options.method === 'bounded_hash';
  return new Pool(byLoad ? new LeastConnShelf() : new Wheel(), byLoad, ramps, countsLoad);
}

/** Starts the cycle elsewhere, by as many choices as one round or a few thousand have. */
function turnTo(pool: Pool, peers: readonly PoolPeer[], seed: number): void {
  const limit = Math.min(pool.totalWeight, 4 * peers.length + 256);
  for (let skip = new Prng(seed).below(limit); skip > 0; skip--) pool.next([]);
}
