import type { Peer, PickRequest } from './balancer.ts';
import type { Chooser } from './chooser.ts';
import { CRC_START, crcEnd, crcText } from './crc32.ts';
import { isUsable, wasTried, type PoolPeer } from './peer.ts';
import type { Pool } from './pool.ts';
import type { Ring } from './ring.ts';

/** nginx gives up after so many points without a usable server, and turns to round robin. */
const MAX_MISSES = 20;

/**
 * `hash KEY consistent`: the first point of the ring at or after the key's CRC, and the points after it while their
 * servers cannot be used.
 * Source: nginx 1.22, behaviour of ngx_http_upstream_get_chash_peer.
 */
export class ConsistentChooser implements Chooser {
  readonly ring: Ring;
  private readonly pool: Pool;

  constructor(pool: Pool, ring: Ring) {
    this.pool = pool;
    this.ring = ring;
  }

  choose(request: PickRequest): PoolPeer | undefined {
    if (request.key.length === 0) return undefined;
    const ring = this.ring;
    const tried = request.tried;
    let place = ring.find(crcEnd(crcText(CRC_START, request.key)));
    let passed = 0;
    for (let misses = 0; misses <= MAX_MISSES; misses++) {
      const head = ring.ownerAt(place);
      // nginx goes on at the point where the attempt before ended; what lies before that one is missed once more.
      while (passed < tried.length && isTwinOf(head, tried[passed]!)) passed += 1;
      if (passed === tried.length) {
        const peer = head.twin === undefined ? this.alone(head, request) : this.pool.among(head, request);
        if (peer !== undefined) return peer;
      }
      place = ring.after(place);
    }
    return undefined;
  }

  private alone(peer: PoolPeer, request: PickRequest): PoolPeer | undefined {
    if (wasTried(request.tried, peer) || !isUsable(peer, request.now)) return undefined;
    this.pool.recover(peer);
    return peer;
  }
}

function isTwinOf(head: PoolPeer, tried: Peer): boolean {
  let peer: PoolPeer | undefined = head;
  while (peer !== undefined && peer !== tried) peer = peer.twin;
  return peer !== undefined;
}
