import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Peer } from '../../src/balancer/balancer.ts';
import { createServer } from '../../src/upstream/server.ts';
import { balance, countPicks, list, mapKeys, METHODS, nameOf, pickOne } from '../helpers/balancing.ts';

const servers = fc
  .uniqueArray(
    fc.record({
      id: fc.integer({ min: 1, max: 40 }),
      weight: fc.integer({ min: 1, max: 9 }),
      maxFails: fc.integer({ min: 0, max: 2 }),
      down: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
      drain: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
      backup: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
      maxConns: fc.constantFrom(0, 0, 1, 2),
    }),
    { selector: (entry) => entry.id, maxLength: 40 },
  )
  .map((entries) => entries.map(({ id, ...rest }) => createServer(`10.0.0.${id}:80`, rest)));

describe.each(METHODS)('%s', (method) => {
  test('tries every usable server once and no other, whatever fails', () => {
    fc.assert(
      fc.property(servers, fc.string(), (entries, key) => {
        const balancer = balance(method, entries);
        const tried: Peer[] = [];
        for (;;) {
          const peer = pickOne(balancer, key, tried);
          if (peer === undefined) break;
          expect(tried).not.toContain(peer);
          expect(peer.server.down || peer.server.drain).toBe(false);
          balancer.done(peer, true, 1000, 1);
          tried.push(peer);
        }
        const usable = entries.filter((server) => !server.down && !server.drain);
        expect(tried).toHaveLength(usable.length);
        expect(balancer.tries).toBe(Math.max(1, usable.length));
      }),
    );
  });

  test('never exceeds max_conns, counts of other workers included', () => {
    const balancer = balance(
      method,
      list(['a', { maxConns: 2 }], ['b', { maxConns: 3 }], ['c', { maxConns: 1 }]),
    );
    balancer.setOtherConns(balancer.peers[1]!, 2, 1000);
    const held: Peer[] = [];
    for (let i = 0; i < 10; i++) {
      const peer = pickOne(balancer, `key-${i}`);
      if (peer !== undefined) held.push(peer);
    }
    expect(held.map(nameOf).sort()).toEqual(['a', 'a', 'b', 'c']);
    balancer.done(held[0]!, false, 1000, 1);
    expect(pickOne(balancer, 'again')).toBe(held[0]);
    balancer.setOtherConns(balancer.peers[1]!, 0, 1000);
    expect(nameOf(pickOne(balancer, 'more'))).toBe('b');
    expect(nameOf(pickOne(balancer, 'more'))).toBe('b');
    expect(pickOne(balancer, 'more')).toBeUndefined();
  });

  test('passes over a server that other workers saw fail, until they see it well', () => {
    const balancer = balance(method, list(['a', { maxFails: 2 }], 'b'));
    const a = balancer.peers[0]!;
    const keys = Array.from({ length: 30 }, (_, i) => String.fromCharCode(10, i * 7, i * 2, 1));
    balancer.observe(a, 2, 1000, 1000, 1000);
    expect(new Set(mapKeys(balancer, keys))).toEqual(new Set(['b']));
    balancer.observe(a, 0, 1000, 1000, 1000);
    expect(new Set(mapKeys(balancer, keys))).toEqual(new Set(['a', 'b']));
  });

  test('applies down, drain and weight at once and keeps what is under way', () => {
    const first = balance(method, list('a', 'b', 'c'));
    const open = pickOne(first, 'some key!')!;
    const drained = list('a', 'b', 'c').map((server) =>
      server.address === open.server.address ? { ...server, drain: true } : server,
    );
    const second = balance(method, drained, first);
    expect(second.peers).toContain(open);
    expect(open.conns).toBe(1);
    expect(countPicks(second, 20, 1000, 'some key!')[nameOf(open)]).toBeUndefined();
    second.done(open, false, 1000, 1);
    expect(open.conns).toBe(0);
  });

  test('uses one server for everything when there is only one, and nothing when there is none', () => {
    const single = balance(method, list('a'));
    for (let i = 0; i < 5; i++) single.done(pickOne(single, 'k')!, true, 1000, 1);
    expect(nameOf(pickOne(single, 'k'))).toBe('a');
    expect(pickOne(balance(method, []), 'k')).toBeUndefined();
    expect(nameOf(pickOne(balance(method, list('b', 'c'), single), 'k'))).toMatch(/^[bc]$/);
  });
});
