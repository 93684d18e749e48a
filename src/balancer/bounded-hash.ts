import type { PickRequest } from './balancer.ts';
import type { Chooser } from './chooser.ts';
import { CRC_START, crcEnd, crcText } from './crc32.ts';
import { isUsable, wasTried, type PoolPeer } from './peer.ts';
import type { Pool } from './pool.ts';
import type { Ring } from './ring.ts';

/** Points looked at before the least loaded server seen so far has to do. */
const MAX_STEPS = 4096;

/**
 * Consistent hashing with bounded loads: as `hash_consistent`, but a server that already has `loadFactor` times its fair
 * share of the requests now under way is passed over.
 * Source: Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2016).
 */
export class BoundedChooser implements Chooser {
  readonly ring: Ring;
  private readonly pool: Pool;
  private readonly loadFactor: number;

  constructor(pool: Pool, ring: Ring, loadFactor: number) {
    this.pool = pool;
    this.ring = ring;
    this.loadFactor = Math.max(1, loadFactor);
  }

  choose(request: PickRequest): PoolPeer | undefined {
    if (request.key.length === 0) return undefined;
    const ring = this.ring;
    const perWeight = (this.loadFactor * (this.pool.load + 1)) / this.pool.servingWeight;
    let place = ring.find(crcEnd(crcText(CRC_START, request.key)));
    const steps = Math.min(ring.size, MAX_STEPS);
    let least: PoolPeer | undefined;
    for (let step = 0; step < steps; step++) {
      let peer: PoolPeer | undefined = ring.ownerAt(place);
      while (peer !== undefined) {
        const load = peer.conns + peer.otherConns;
        if (peer !== least && !wasTried(request.tried, peer) && isUsable(peer, request.now)) {
          if (load < Math.ceil(perWeight * peer.weight)) return peer;
          if (least === undefined || load * least.weight < (least.conns + least.otherConns) * peer.weight)
            least = peer;
        }
        peer = peer.twin;
      }
      place = ring.after(place);
    }
    return least;
  }
}
