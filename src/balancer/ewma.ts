import type { PickRequest } from './balancer.ts';
import type { Chooser } from './chooser.ts';
import { RAMP_STEPS, isUsable, wasTried, type PoolPeer } from './peer.ts';
import type { Prng } from './prng.ts';
import { Ranges } from './ranges.ts';

/** Milliseconds after which a measured time counts about a third. */
const DECAY_MS = 10_000;
const MAX_DRAWS = 20;

/**
 * Peak-EWMA: of two servers drawn by weight, the one with the smaller expected wait, which is its recent response time
 * times the requests it has for its weight. A slower response counts at once, faster ones little by little.
 * Source: the method of Finagle and of ingress-nginx's `ewma`.
 */
export class EwmaChooser implements Chooser {
  readonly prng: Prng;
  private readonly ranges: Ranges;

  constructor(peers: readonly PoolPeer[], prng: Prng) {
    this.ranges = new Ranges(peers);
    this.prng = prng;
    seedNewcomers(peers);
  }

  choose(request: PickRequest): PoolPeer | undefined {
    const ranges = this.ranges;
    let first: PoolPeer | undefined;
    for (let draw = 0; draw < MAX_DRAWS; draw++) {
      const peer = ranges.find(this.prng.below(ranges.total));
      if (peer === first || wasTried(request.tried, peer) || !isUsable(peer, request.now)) continue;
      // During a slow start a server is drawn as rarely as its weight of the moment says.
      if (peer.rampStep < RAMP_STEPS && this.prng.below(RAMP_STEPS) >= peer.rampStep) continue;
      if (first !== undefined) return cost(peer, request.now) < cost(first, request.now) ? peer : first;
      first = peer;
    }
    return first;
  }

  ended(peer: PoolPeer, failed: boolean, now: number, responseMs: number): void {
    // A refused connection is quick; it must not make its server look fast.
    const sample = failed ? Math.max(responseMs, 2 * peer.ewma) : responseMs;
    if (sample >= peer.ewma) {
      peer.ewma = sample;
    } else {
      const keep = decay(now - peer.ewmaAt);
      peer.ewma = peer.ewma * keep + sample * (1 - keep);
    }
    peer.ewmaAt = now;
  }
}

function cost(peer: PoolPeer, now: number): number {
  const wait = Math.max(0, peer.ewma) * decay(now - peer.ewmaAt);
  return (wait * (peer.conns + peer.otherConns + 1)) / peer.server.weight;
}

/** Close to exp(-elapsed / DECAY_MS), from operations that give the same bits in both languages. */
function decay(elapsedMs: number): number {
  const x = 1 / (1 + Math.max(0, elapsedMs) / DECAY_MS / 16);
  const x2 = x * x;
  const x4 = x2 * x2;
  const x8 = x4 * x4;
  return x8 * x8;
}

/** Nobody knows how fast a newcomer is: it starts with the mean of the others, neither shunned nor flooded. */
function seedNewcomers(peers: readonly PoolPeer[]): void {
  let sum = 0;
  let count = 0;
  let latest = 0;
  for (const peer of peers) {
    if (peer.ewma < 0) continue;
    sum += peer.ewma;
    count += 1;
    latest = Math.max(latest, peer.ewmaAt);
  }
  if (count === 0) return;
  for (const peer of peers) {
    if (peer.ewma >= 0) continue;
    peer.ewma = sum / count;
    peer.ewmaAt = latest;
  }
}
