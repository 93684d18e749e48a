import type { Peer, PickRequest } from './balancer.ts';
import { isUsable, wasTried, type PoolPeer } from './peer.ts';

/** nginx gives up hashing after so many servers that cannot be used, and turns to round robin. */
const MAX_MISSES = 20;

const NONE: Peer[] = [];

/**
 * The search of a hash method for a server it can use. Every attempt of a request begins the search anew, while nginx goes
 * on where the attempt before ended. So the way up to there is recognised by the servers tried, in their order: those are
 * no misses, and whatever else lies on it is one, also when it could be used by now.
 */
export class Walk {
  private tried: Peer[] = NONE;
  private now = 0;
  private passed = 0;
  private misses = 0;

  start(request: PickRequest): void {
    this.tried = request.tried;
    this.now = request.now;
    this.passed = 0;
    this.misses = 0;
  }

  isOver(): boolean {
    return this.misses > MAX_MISSES;
  }

  accepts(peer: PoolPeer): boolean {
    const tried = this.tried;
    if (this.passed < tried.length) {
      if (tried[this.passed] === peer) this.passed += 1;
      else this.misses += 1;
      return false;
    }
    if (!wasTried(tried, peer) && isUsable(peer, this.now)) return true;
    this.misses += 1;
    return false;
  }
}
