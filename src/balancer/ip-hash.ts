import type { PickRequest } from './balancer.ts';
import type { Chooser } from './chooser.ts';
import type { PoolPeer } from './peer.ts';
import { Ranges } from './ranges.ts';
import { Walk } from './walk.ts';

/**
 * `ip_hash`: the first three octets of an IPv4 client, or all of an IPv6 one, over the weights laid end to end. The key is
 * the address in binary text; any other length counts as a client on a unix socket.
 * Source: nginx 1.22, behaviour of ngx_http_upstream_get_ip_hash_peer.
 */
export class IpHashChooser implements Chooser {
  private readonly ranges: Ranges;
  private readonly walk = new Walk();

  constructor(peers: readonly PoolPeer[]) {
    this.ranges = new Ranges(peers);
  }

  choose(request: PickRequest): PoolPeer | undefined {
    const key = request.key.length === 4 || request.key.length === 16 ? request.key : '\0\0\0\0';
    const length = key.length === 16 ? 16 : 3;
    const walk = this.walk;
    let hash = 89;
    walk.start(request);
    while (!walk.isOver()) {
      for (let i = 0; i < length; i++) hash = (hash * 113 + key.charCodeAt(i)) % 6271;
      const peer = this.ranges.find(hash % this.ranges.total);
      if (walk.accepts(peer)) return peer;
    }
    return undefined;
  }
}
