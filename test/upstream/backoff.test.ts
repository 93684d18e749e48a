import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backoff } from '../../src/upstream/backoff.ts';

describe('Backoff', () => {
  it('doubles the bound up to the cap, and starts over on contact', () => {
    const backoff = new Backoff({ baseMs: 100, capMs: 1000, random: () => 0.999_999 });
    const waits = Array.from({ length: 6 }, () => backoff.next());
    expect(waits).toEqual([99, 199, 399, 799, 999, 999]);
    expect(backoff.failures).toBe(6);
    backoff.reset();
    expect([backoff.failures, backoff.next()]).toEqual([0, 99]);
  });

  it('draws from the whole range, 0 included', () => {
    expect(new Backoff({ random: () => 0 }).next()).toBe(0);
  });

  it('never waits longer than the cap', () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.double({ min: 0, max: 0.999_999, noNaN: true }), (failures, random) => {
        const backoff = new Backoff({ random: () => random });
        for (let at = 0; at < failures; at++) backoff.next();
        const wait = backoff.next();
        expect(wait >= 0 && wait < 30_000).toBe(true);
      }),
    );
  });
});
