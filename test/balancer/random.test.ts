import { describe, expect, test } from 'vitest';
import { createBalancer } from '../../src/balancer/create.ts';
import { Prng } from '../../src/balancer/prng.ts';
import { balance, countPicks, list, mapKeys, nameOf, optionsOf, pickOne } from '../helpers/balancing.ts';

test('the generator is even and differs by seed', () => {
  const counts = Array<number>(10).fill(0);
  const prng = new Prng(7);
  for (let i = 0; i < 100_000; i++) counts[prng.below(10)]! += 1;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  const firsts = Array.from({ length: 1000 }, (_, seed) => new Prng(seed).below(10));
  for (let digit = 0; digit < 10; digit++) {
    expect(Math.abs(firsts.filter((first) => first === digit).length - 100)).toBeLessThan(60);
  }
});

describe('random', () => {
  test('goes by weight', () => {
    const counts = countPicks(balance('random', list('a', ['b', { weight: 3 }])), 10_000);
    expect(Math.abs(counts['b']! - 7500)).toBeLessThan(250);
  });

  test('does not repeat its choices after an update', () => {
    const servers = list('a', 'b', 'c', 'd');
    const first = balance('random', servers);
    const before = mapKeys(first, Array<string>(40).fill(''));
    expect(mapKeys(balance('random', servers, first), Array<string>(40).fill(''))).not.toEqual(before);
    const other = createBalancer(optionsOf('random', 5), servers);
    expect(mapKeys(other, Array<string>(40).fill(''))).not.toEqual(before);
  });
});

describe('random two least_conn', () => {
  test('keeps loads closer together than one random choice does', () => {
    const spread = (method: 'random' | 'random_two_least_conn'): number => {
      const balancer = balance(method, list('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'));
      for (let i = 0; i < 4000; i++) pickOne(balancer);
      const conns = balancer.peers.map((peer) => peer.conns);
      return Math.max(...conns) - Math.min(...conns);
    };
    expect(spread('random_two_least_conn')).toBeLessThan(8);
    expect(spread('random')).toBeGreaterThan(20);
  });
});

describe('ewma', () => {
  test('sends most requests to the fast server and still looks after the slow one', () => {
    const balancer = balance('ewma', list('fast', 'slow'));
    const counts: Record<string, number> = { fast: 0, slow: 0 };
    for (let now = 0; now < 60_000; now += 10) {
      const peer = pickOne(balancer, '', [], now)!;
      counts[nameOf(peer)]! += 1;
      balancer.done(peer, false, now, nameOf(peer) === 'fast' ? 5 : 200);
    }
    expect(counts['fast']! / 6000).toBeGreaterThan(0.9);
    expect(counts['slow']!).toBeGreaterThan(0);
  });

  test('starts a newcomer with the mean of the others', () => {
    const first = balance('ewma', list('a', 'b'));
    for (let i = 0; i < 50; i++) {
      const peer = pickOne(first)!;
      first.done(peer, false, 1000, nameOf(peer) === 'a' ? 10 : 30);
    }
    const second = balance('ewma', list('a', 'b', 'n'), first);
    const counts: Record<string, number> = {};
    for (let i = 0; i < 300; i++)
      counts[nameOf(pickOne(second))] = (counts[nameOf(second.peers[2])] ?? 0) + 1;
    // Held requests count: nobody takes all, the newcomer neither.
    for (const peer of second.peers) expect(peer.conns).toBeGreaterThan(30);
    expect(second.peers[2]!.conns).toBeLessThan(150);
  });

  test('does not take quick failures for speed', () => {
    const balancer = balance('ewma', list(['ok', { maxFails: 0 }], ['broken', { maxFails: 0 }]));
    let broken = 0;
    for (let now = 0; now < 20_000; now += 10) {
      const peer = pickOne(balancer, '', [], now)!;
      const failed = nameOf(peer) === 'broken';
      balancer.done(peer, failed, now, failed ? 0.1 : 20);
      if (failed && now > 2000) broken += 1;
    }
    expect(broken).toBeLessThan(1100);
  });
});
