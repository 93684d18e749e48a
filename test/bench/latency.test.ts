import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pooled } from '../../bench/latency.ts';

const microseconds = fc.array(fc.integer({ min: 1, max: 10_000_000 }), { minLength: 1, maxLength: 200 });

describe('latencies pooled over recordings', () => {
  it('gives milliseconds', () => {
    expect(pooled([[1000, 2000, 3000]])).toMatchObject({ max: expect.closeTo(3, 2), count: 3 });
  });

  it('lets a stall of one recording weigh as much as it is', () => {
    const quiet = Array.from({ length: 990 }, () => 100);
    const stalled = Array.from({ length: 10 }, () => 50_000);
    expect(pooled([quiet]).p99).toBeCloseTo(0.1, 2);
    expect(pooled([quiet, [...stalled, ...stalled]]).p99).toBeCloseTo(50, 0);
  });

  it('is the same however the values are divided among recordings', () => {
    fc.assert(
      fc.property(microseconds, microseconds, (a, b) => {
        expect(pooled([a, b])).toEqual(pooled([[...b, ...a]]));
      }),
    );
  });

  it('keeps three digits and the order of percentiles', () => {
    fc.assert(
      fc.property(microseconds, (values) => {
        const { p50, p90, p99, p999, max, count } = pooled([values]);
        const ordered = [p50, p90, p99, p999];
        expect([...ordered].sort((a, b) => a - b)).toEqual(ordered);
        expect(Math.abs(max * 1000 - Math.max(...values))).toBeLessThanOrEqual(Math.max(...values) / 500 + 1);
        expect(count).toBe(values.length);
      }),
    );
  });

  it.each([
    ['no recording', []],
    ['an empty one', [[]]],
  ])('takes %s for a mistake, since 0 would look like a result', (_, recordings) => {
    expect(() => pooled(recordings)).toThrow('no latencies');
  });

  it('counts what is beyond its range as the largest', () => {
    expect(pooled([[1e12]]).max).toBeGreaterThan(59_000);
  });
});
