import { describe, expect, test } from 'vitest';
import type { Method } from '../../src/balancer/balancer.ts';
import { balance, countPicks, list } from '../helpers/balancing.ts';

const RAMP = { slowStartMs: 64_000 };

describe.each<Method>(['round_robin', 'least_conn', 'ewma'])('slow start with %s', (method) => {
  test('raises a newcomer’s share from little to its full one', () => {
    const first = balance(method, list('a', 'b'));
    countPicks(first, 10);
    const second = balance(method, list('a', 'b', ['n', RAMP]), first);
    const shares = [1000, 17_000, 33_000, 70_000].map(
      (now) => (countPicks(second, 3000, now)['n'] ?? 0) / 3000,
    );
    const expected = [1 / 129, 17 / 145, 33 / 161, 1 / 3];
    shares.forEach((share, i) =>
      expect(Math.abs(share - expected[i]!)).toBeLessThan(method === 'ewma' ? 0.06 : 0.02),
    );
  });

  test('goes on where it was when the list changes on the way', () => {
    const first = balance(method, list('a', 'b'));
    const second = balance(method, list('a', 'b', ['n', RAMP]), first);
    countPicks(second, 1, 1000);
    const third = balance(method, list('a', ['n', RAMP]), second);
    const share = (countPicks(third, 3000, 33_000)['n'] ?? 0) / 3000;
    expect(Math.abs(share - 33 / 97)).toBeLessThan(method === 'ewma' ? 0.06 : 0.02);
  });

  test('also follows a recovery and the end of down', () => {
    const failing = { ...RAMP, maxFails: 1, failTimeoutMs: 1000 };
    const first = balance(method, list('a', ['n', failing]));
    const n = first.peers[1]!;
    first.observe(n, 1, 1000, 1000, 1000);
    first.observe(n, 0, 5000, 1000, 5000);
    expect((countPicks(first, 1000, 5001)['n'] ?? 0) / 1000).toBeLessThan(0.06);
    expect((countPicks(first, 1000, 80_000)['n'] ?? 0) / 1000).toBeGreaterThan(0.4);
    const down = balance(method, list('a', ['n', { ...failing, down: true }]), first);
    const up = balance(method, list('a', ['n', failing]), down);
    expect((countPicks(up, 1000, 90_000)['n'] ?? 0) / 1000).toBeLessThan(0.06);
  });
});

test('the first list starts at full weight', () => {
  expect(countPicks(balance('round_robin', list('a', ['b', RAMP])), 100)['b']).toBe(50);
});

test('a ramp of everybody changes nothing', () => {
  const first = balance('round_robin', list('x'));
  const second = balance('round_robin', list(['a', RAMP], ['b', RAMP], ['c', { ...RAMP, weight: 2 }]), first);
  expect(countPicks(second, 400, 5000)).toEqual({ a: 100, b: 100, c: 200 });
});
