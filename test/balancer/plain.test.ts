import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Balancer, Peer } from '../../src/balancer/balancer.ts';
import { endPlain } from '../../src/balancer/peer.ts';
import { createServer } from '../../src/upstream/server.ts';
import { balance, list, METHODS, nameOf, pickOne } from '../helpers/balancing.ts';

/** A balancer that is asked by the shortest way where there is one, or never. */
interface Way {
  balancer: Balancer;
  readonly short: boolean;
  readonly open: Peer[];
}

const servers = fc
  .uniqueArray(
    fc.record({
      id: fc.integer({ min: 1, max: 6 }),
      weight: fc.constantFrom(1, 1, 1, 2, 5),
      maxFails: fc.integer({ min: 0, max: 2 }),
      failTimeoutMs: fc.constantFrom(0, 50, 1000),
      down: fc.constantFrom(false, false, false, true),
      drain: fc.constantFrom(false, false, false, true),
      backup: fc.constantFrom(false, false, false, true),
      maxConns: fc.constantFrom(0, 0, 0, 0, 2),
      slowStartMs: fc.constantFrom(0, 0, 0, 300),
    }),
    { selector: (entry) => entry.id, maxLength: 6 },
  )
  .map((entries) => entries.map(({ id, ...rest }) => createServer(`10.0.0.${id}:80`, rest)));
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ what: fc.constant('pick'), ms: fc.constantFrom(0, 1, 60) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('end'),
      at: fc.nat(),
      failed: fc.constantFrom(false, false, true),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('update'), servers }) },
);
type Step = { what: string; ms?: number; at?: number; failed?: boolean; servers?: ReturnType<typeof list> };

function pick({ balancer, short, open }: Way, now: number): Peer | undefined {
  const peer = (short ? balancer.pickPlain(now) : undefined) ?? pickOne(balancer, '', [], now);
  if (peer !== undefined) open.push(peer);
  return peer;
}

function end({ balancer, short, open }: Way, at: number, failed: boolean, now: number): void {
  const [peer] = open.splice(at % Math.max(1, open.length), 1);
  if (peer !== undefined && (failed || !short || !endPlain(peer))) balancer.done(peer, failed, now, 1);
}

describe('the shortest way of a pick', () => {
  test('chooses and counts as the long one does, over failures, time and new lists', () => {
    fc.assert(
      fc.property(servers, fc.array(step as fc.Arbitrary<Step>, { maxLength: 120 }), (first, steps) => {
        const ways = [true, false].map((short): Way => ({
          balancer: balance('round_robin', first),
          short,
          open: [],
        }));
        let now = 1000;
        for (const { what, ms = 0, at = 0, failed = false, servers: next = [] } of steps) {
          now += ms;
          if (what === 'pick') {
            const [a, b] = ways.map((way) => nameOf(pick(way, now)));
            expect(a).toBe(b);
          } else if (what === 'end') for (const way of ways) end(way, at, failed, now);
          else for (const way of ways) way.balancer = balance('round_robin', next, way.balancer);
          const [a, b] = ways.map(({ balancer }) =>
            balancer.peers.map(({ server, conns, fails }) => [server.address, conns, fails]),
          );
          expect(a).toEqual(b);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('is the usual one: equal weights, different weights, and a single server', () => {
    for (const entries of [list('a', 'b', 'c'), list(['a', { weight: 3 }], 'b'), list('a')])
      expect(balance('round_robin', entries).pickPlain(1000)).toBeDefined();
  });

  test.each(METHODS.filter((method) => method !== 'round_robin'))('is none for %s', (method) => {
    expect(balance(method, list('a', 'b')).pickPlain(1000)).toBeUndefined();
  });

  test('is none where max_conns may refuse, where no server is left, and for a single one that is down', () => {
    for (const entries of [
      list(['a', { maxConns: 1 }], 'b'),
      list(['a', { down: true }], ['b', { down: true }]),
      list(['a', { down: true }]),
      [],
    ])
      expect(balance('round_robin', entries).pickPlain(1000)).toBeUndefined();
  });
});
