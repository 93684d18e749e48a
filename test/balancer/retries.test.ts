import { describe, expect, test } from 'vitest';
import type { Balancer, Method, Peer } from '../../src/balancer/balancer.ts';
import { balance, list, METHODS, nameOf, pickOne } from '../helpers/balancing.ts';

const KEY = String.fromCharCode(10, 1, 2, 3);
/** Keys whose way meets three servers before any of them for a second time. */
const HASHES: [Method, string][] = [
  ['ip_hash', KEY],
  ['hash', 'k1'],
  ['hash_consistent', 'k1'],
];

/** Fails `name` once, through whichever key leads there. */
function fail(balancer: Balancer, name: string, now: number): void {
  for (let i = 0; i < 256; i++) {
    const peer = pickOne(balancer, String.fromCharCode(10, i, 0, 0), [], now);
    if (peer !== undefined) balancer.done(peer, nameOf(peer) === name, now, 1);
    if (nameOf(peer) === name) return;
  }
  throw new Error(`no key leads to ${name}`);
}

describe.each(HASHES)('%s', (method, key) => {
  test('goes on where the attempt before ended, as nginx does, also past a server that is back by now', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const order: string[] = [];
    const all = balance(method, list(...names));
    const tried: Peer[] = [];
    for (let i = 0; i < 3; i++) {
      const peer = pickOne(all, key, tried)!;
      tried.push(peer);
      order.push(nameOf(peer));
    }

    const balancer = balance(
      method,
      list(...names.map((name): [string, object] => [name, { maxFails: 1, failTimeoutMs: 1000 }])),
    );
    fail(balancer, order[0]!, 5000);
    const second = pickOne(balancer, key, [], 6000)!;
    expect(nameOf(second)).toBe(order[1]);
    balancer.done(second, true, 6001, 1);
    const third = pickOne(balancer, key, [second], 6001)!;
    expect(nameOf(third)).toBe(order[2]);
    balancer.done(third, false, 6001, 1);
    expect(nameOf(pickOne(balancer, key, [], 6001))).toBe(order[0]);
  });
});

describe.each(METHODS)('%s', (method) => {
  test('stays with the backups once it went on to them, until it would give up', () => {
    const failing = { maxFails: 1, failTimeoutMs: 1000 };
    const servers = list(['a', failing], ['b', { backup: true }], ['c', { backup: true }]);
    const balancer = balance(method, servers);
    fail(balancer, 'a', 5000);
    const first = pickOne(balancer, KEY, [], 5500)!;
    balancer.done(first, true, 6001, 1);
    const second = pickOne(balancer, KEY, [first], 6001)!;
    balancer.done(second, true, 6001, 1);
    expect([first, second].map(nameOf).sort()).toEqual(['b', 'c']);
    const tried = [first, second];
    expect(balancer.pick({ now: 6001, key: KEY, tried })).toBeUndefined();
    expect(nameOf(balancer.pick({ now: 6001, key: KEY, tried, lastResort: true }))).toBe('a');
  });

  test('does not ask a failed server because the others have all they may take, and forgets no failures then', () => {
    const servers = list(['a', { maxFails: 1 }], ['b', { maxConns: 1 }]);
    const balancer = balance(method, servers);
    fail(balancer, 'a', 1000);
    const open = pickOne(balancer, KEY)!;
    expect(nameOf(open)).toBe('b');
    expect(pickOne(balancer, KEY)).toBeUndefined();
    expect(balancer.peers[0]!.fails).toBe(1);
    expect(balancer.resets).toBe(0);
    balancer.done(open, true, 1000, 1);
    expect(nameOf(pickOne(balancer, KEY))).toBe('b');
  });
});
