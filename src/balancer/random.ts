import type { PickRequest } from './balancer.ts';
import type { Chooser } from './chooser.ts';
import { isUsable, wasTried, type PoolPeer } from './peer.ts';
import type { Prng } from './prng.ts';
import { Ranges } from './ranges.ts';

/** nginx gives up after so many draws of servers that cannot be used, and turns to round robin. */
const MAX_MISSES = 20;

/**
 * `random`: by weight, down servers included in the draw; `random two least_conn`: of two different draws the one with
 * fewer connections for its weight, the later draw among equals.
 * Source: nginx 1.22, behaviour of ngx_http_upstream_random_module.c; the generator is our own.
 */
export class RandomChooser implements Chooser {
  readonly prng: Prng;
  private readonly ranges: Ranges;
  private readonly two: boolean;

  constructor(peers: readonly PoolPeer[], prng: Prng, two: boolean) {
    this.ranges = new Ranges(peers);
    this.prng = prng;
    this.two = two;
  }

  choose(request: PickRequest): PoolPeer | undefined {
    const ranges = this.ranges;
    let first: PoolPeer | undefined;
    for (let misses = 0; misses <= MAX_MISSES; misses++) {
      const peer = ranges.find(this.prng.below(ranges.total));
      if (peer === first || wasTried(request.tried, peer) || !isUsable(peer, request.now)) continue;
      if (!this.two) return peer;
      if (first !== undefined) return isBusier(peer, first) ? first : peer;
      first = peer;
      // The first of two is no miss.
      misses -= 1;
    }
    return undefined;
  }
}

function isBusier(a: PoolPeer, b: PoolPeer): boolean {
  return (a.conns + a.otherConns) * b.server.weight > (b.conns + b.otherConns) * a.server.weight;
}
