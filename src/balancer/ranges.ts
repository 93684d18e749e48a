import type { PoolPeer } from './peer.ts';

/**
 * The weights of a list laid end to end, in list order. Servers that are down keep their part, so that taking one down
 * moves only its own share. The list must not be empty.
 */
export class Ranges {
  readonly total: number;
  private readonly peers: readonly PoolPeer[];
  private readonly starts: number[] = [];

  constructor(peers: readonly PoolPeer[]) {
    this.peers = peers;
    let total = 0;
    for (const peer of peers) {
      this.starts.push(total);
      total += peer.server.weight;
    }
    this.total = total;
  }

  /** The peer whose part holds `position`, from 0 to `total` - 1. */
  find(position: number): PoolPeer {
    const starts = this.starts;
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (position < starts[middle]!) high = middle;
      else low = middle;
    }
    return this.peers[low]!;
  }
}
