import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Method } from '../../src/balancer/balancer.ts';
import { CRC_START, crcEnd, crcText } from '../../src/balancer/crc32.ts';
import { createServer } from '../../src/upstream/server.ts';
import { balance, list, mapKeys, nameOf, pickOne } from '../helpers/balancing.ts';

const KEYS = Array.from({ length: 60 }, (_, i) => `key-${i}`);
const HASHES: Method[] = ['hash', 'hash_consistent', 'ip_hash', 'bounded_hash'];

function keyOf(method: Method, number: number): string {
  return method === 'ip_hash' ? String.fromCharCode(10, number % 256, number >> 8, 1) : `key-${number}`;
}

test('computes the CRC-32 that everybody computes', () => {
  expect(crcEnd(crcText(CRC_START, '123456789'))).toBe(0xcbf43926);
});

describe.each(HASHES)('%s', (method) => {
  const keys = KEYS.map((_, i) => keyOf(method, i));

  test('sends a key to the same server whatever happened before', () => {
    const servers = list('a', ['b', { weight: 3 }], 'c', 'd');
    const fresh = mapKeys(balance(method, servers), keys);
    const old = balance(method, list('x', 'c', 'y'));
    mapKeys(old, keys);
    const middle = balance(method, list('d', ['b', { weight: 2 }], 'z', 'a'), old);
    mapKeys(middle, keys);
    expect(mapKeys(balance(method, servers, middle), keys)).toEqual(fresh);
    expect(new Set(fresh).size).toBe(4);
  });

  test('moves only the keys of a server that goes down', () => {
    const up = mapKeys(balance(method, list('a', 'b', 'c')), keys);
    const down = mapKeys(balance(method, list('a', ['b', { down: true }], 'c')), keys);
    keys.forEach((_, i) => {
      if (up[i] === 'b') expect(down[i]).not.toBe('b');
      else expect(down[i]).toBe(up[i]);
    });
  });

  test('takes backups when the primaries are gone', () => {
    const balancer = balance(
      method,
      list(['a', { down: true }], ['b', { backup: true }], ['c', { backup: true }]),
    );
    expect(new Set(mapKeys(balancer, keys))).toEqual(new Set(['b', 'c']));
    const none = balance(method, list(['b', { backup: true }], ['c', { backup: true }]));
    expect(new Set(mapKeys(none, keys))).toEqual(new Set(['b', 'c']));
  });
});

describe.each<Method>(['hash_consistent', 'bounded_hash'])('%s', (method) => {
  test('gives a new server only keys for itself', () => {
    const before = balance(method, list('a', 'b', 'c'));
    const old = mapKeys(before, KEYS);
    const now = mapKeys(balance(method, list('a', 'b', 'c', 'd'), before), KEYS);
    const moved = KEYS.filter((_, i) => old[i] !== now[i]);
    KEYS.forEach((_, i) => expect([old[i], 'd']).toContain(now[i]));
    expect(moved.length).toBeGreaterThan(5);
    expect(moved.length).toBeLessThan(30);
  });

  test('moves only the keys of a server that leaves', () => {
    const before = balance(method, list('a', 'b', 'c', 'd'));
    const old = mapKeys(before, KEYS);
    const now = mapKeys(balance(method, list('a', 'c', 'd'), before), KEYS);
    KEYS.forEach((_, i) => {
      if (old[i] !== 'b') expect(now[i]).toBe(old[i]);
    });
  });

  test('moves keys only to a server whose weight grows, and only from one whose weight shrinks', () => {
    const light = balance(method, list('a', 'b', 'c'));
    const old = mapKeys(light, KEYS);
    const heavy = balance(method, list('a', ['b', { weight: 3 }], 'c'), light);
    const grown = mapKeys(heavy, KEYS);
    KEYS.forEach((_, i) => expect([old[i], 'b']).toContain(grown[i]));
    expect(grown).not.toEqual(old);
    expect(mapKeys(balance(method, list('a', 'b', 'c'), heavy), KEYS)).toEqual(old);
  });

  test('builds the same ring from the one before as from nothing', () => {
    const servers = fc
      .array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3 }), fc.nat({ max: 5 })), {
        minLength: 1,
        maxLength: 9,
      })
      .map((entries) =>
        entries.map(([id, weight, kind]) => createServer(`10.0.0.${id}:80`, { weight, backup: kind === 0 })),
      );
    fc.assert(
      fc.property(fc.array(servers, { minLength: 2, maxLength: 5 }), (lists) => {
        let balancer = balance(method, lists[0]!);
        for (const servers of lists.slice(1)) {
          balancer = balance(method, servers, balancer);
          // Neither smooth weights nor other state may decide between the two: one fresh request per key.
          const fresh = balance(method, servers);
          const addresses = new Set(servers.map((server) => server.address));
          if (addresses.size < servers.length || servers.every((server) => server.backup)) continue;
          for (const key of KEYS) {
            const chosen = pickOne(balancer, key)!;
            balancer.done(chosen, false, 1000, 1);
            const wanted = pickOne(fresh, key)!;
            fresh.done(wanted, false, 1000, 1);
            expect(nameOf(chosen)).toBe(nameOf(wanted));
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test('knows a server again that was the only one, and then a backup', () => {
    const alone = balance(method, list('a'));
    const away = balance(method, list(['a', { backup: true }], 'b'), alone);
    const back = balance(method, list('a', ['b', { backup: true }]), away);
    expect(new Set(mapKeys(back, KEYS))).toEqual(new Set(['a']));
  });

  test('bounds its memory when weights are enormous', () => {
    const servers = Array.from({ length: 40 }, (_, i) =>
      createServer(`10.0.0.${i}:80`, { weight: 1_000_000 }),
    );
    expect(new Set(mapKeys(balance(method, servers), KEYS)).size).toBeGreaterThan(20);
  });
});

describe('bounded_hash', () => {
  test('lets no server have more than its share of the requests under way times the factor', () => {
    const balancer = balance('bounded_hash', list('a', 'b', ['c', { weight: 2 }], 'd'));
    const first = nameOf(pickOne(balancer, 'hot'));
    for (let total = 2; total <= 200; total++) {
      expect(pickOne(balancer, 'hot')).toBeDefined();
      for (const peer of balancer.peers) {
        expect(peer.conns).toBeLessThanOrEqual(Math.ceil((1.25 * total * peer.server.weight) / 5));
      }
    }
    const used = balancer.peers.filter((peer) => peer.conns > 0).map(nameOf);
    expect(used.length).toBeGreaterThan(2);
    expect(used).toContain(first);
  });
});

describe('ip_hash', () => {
  test('looks at three octets of an IPv4 client and at all of an IPv6 one', () => {
    const balancer = balance('ip_hash', list('a', 'b', 'c', 'd', 'e'));
    const v4 = Array.from({ length: 50 }, (_, i) => String.fromCharCode(10, 1, 2, i));
    expect(new Set(mapKeys(balancer, v4)).size).toBe(1);
    const v6 = Array.from({ length: 50 }, (_, i) => String.fromCharCode(...Array<number>(15).fill(32), i));
    expect(new Set(mapKeys(balancer, v6)).size).toBeGreaterThan(2);
  });
});
