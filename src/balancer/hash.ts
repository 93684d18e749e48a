import type { PickRequest } from './balancer.ts';
import type { Chooser } from './chooser.ts';
import { CRC_START, crcEnd, crcText } from './crc32.ts';
import type { PoolPeer } from './peer.ts';
import { Ranges } from './ranges.ts';
import { Walk } from './walk.ts';

/**
 * `hash KEY`: the key's CRC over the weights laid end to end; where that server cannot be used the key is hashed again
 * with a counter before it, and the results add up.
 * Source: nginx 1.22, behaviour of ngx_http_upstream_get_hash_peer (compatible with Cache::Memcached).
 */
export class HashChooser implements Chooser {
  private readonly ranges: Ranges;
  private readonly walk = new Walk();

  constructor(peers: readonly PoolPeer[]) {
    this.ranges = new Ranges(peers);
  }

  choose(request: PickRequest): PoolPeer | undefined {
    const key = request.key;
    if (key.length === 0) return undefined;
    const walk = this.walk;
    let sum = 0;
    let rehash = 0;
    walk.start(request);
    while (!walk.isOver()) {
      const start = rehash === 0 ? CRC_START : crcText(CRC_START, `${rehash}`);
      sum += Math.floor(crcEnd(crcText(start, key)) / 65536) % 32768;
      rehash += 1;
      const peer = this.ranges.find(sum % this.ranges.total);
      if (walk.accepts(peer)) return peer;
    }
    return undefined;
  }
}
