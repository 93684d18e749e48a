import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPeer, type PoolPeer } from '../../src/balancer/peer.ts';
import { Wheel } from '../../src/balancer/wheel.ts';
import { createServer } from '../../src/upstream/server.ts';

/** nginx's scan, over the peers that are in. */
function scan(peers: readonly PoolPeer[]): PoolPeer | undefined {
  let total = 0;
  let best: PoolPeer | undefined;
  for (const peer of peers) {
    peer.current += peer.effective;
    total += peer.effective;
    peer.effective = Math.min(peer.weight, peer.effective + 1);
    if (best === undefined || peer.current > best.current) best = peer;
  }
  if (best !== undefined) best.current -= total;
  return best;
}

function peersOf(weights: readonly number[]): PoolPeer[] {
  return weights.map((weight, index) => {
    const peer = createPeer(createServer(`10.0.0.1:${index + 1}`, { weight }));
    peer.index = index;
    return peer;
  });
}

const steps = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.constant({ kind: 'next' as const, which: 0 }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('toggle' as const), which: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('weaken' as const), which: fc.nat() }) },
  ),
  { maxLength: 300 },
);

describe.each([0, 4, 128])('the wheel, with a calendar from %d weights on', (maxScan) => {
  test('turns as the scan of all peers does, whoever comes and goes', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(weights, steps, (weights, steps) => {
        const wheel = new Wheel(maxScan);
        const fast = peersOf(weights);
        const slow = peersOf(weights);
        const isIn = weights.map(() => true);
        fast.forEach((peer) => wheel.add(peer));
        for (const { kind, which } of steps) {
          const index = which % weights.length;
          if (kind === 'next') {
            const wanted = scan(slow.filter((peer) => isIn[peer.index]));
            const chosen = wheel.size === 0 ? undefined : wheel.next();
            expect(chosen?.index).toBe(wanted?.index);
            continue;
          }
          if (isIn[index]) wheel.remove(fast[index]!);
          expect(fast[index]!.current).toBe(slow[index]!.current);
          if (kind === 'toggle') isIn[index] = !isIn[index];
          else fast[index]!.effective = slow[index]!.effective = Math.floor(slow[index]!.effective / 2);
          if (isIn[index]) wheel.add(fast[index]!);
        }
      }),
      { numRuns: 500 },
    );
  });
});

test.each([
  ['spread evenly', (i: number) => 1 + ((i * 7919) % 65_521)],
  ['spread over magnitudes', (i: number) => Math.floor(1.0065 ** i) + i],
  ['close together', (i: number) => 60_000 + i],
])('the wheel turns as the scan does for a thousand different weights %s', (_, weightOf) => {
  const weights = Array.from({ length: 1000 }, (_, i) => weightOf(i));
  expect(new Set(weights).size).toBe(1000);
  const wheel = new Wheel();
  const slow = peersOf(weights);
  peersOf(weights).forEach((peer) => wheel.add(peer));
  for (let i = 0; i < 8000; i++) expect(wheel.next()!.index).toBe(scan(slow)!.index);
});
