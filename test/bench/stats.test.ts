import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alternate, percentile, pretty, ratio, spread, within } from '../../bench/stats.ts';

const values = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 50 });

describe('numbers over rounds', () => {
  it.each([
    [[3], 3, 3, 3],
    [[1, 9, 5], 5, 1, 9],
    [[4, 1, 2, 3], 2.5, 1, 4],
  ])('%j has the median %d, from %d to %d', (rounds, median, min, max) => {
    expect(spread(rounds)).toMatchObject({ median, min, max });
  });

  it('takes no rounds for a mistake', () => {
    expect(() => spread([])).toThrow('no rounds');
    expect(() => percentile([], 50)).toThrow('no values');
  });

  it('keeps the median between the smallest and the largest', () => {
    fc.assert(
      fc.property(values, (rounds) => {
        const { median, min, max } = spread(rounds);
        expect(min <= median && median <= max).toBe(true);
      }),
    );
  });

  it('compares round by round', () => {
    expect(ratio([2, 30], [1, 10])).toMatchObject({ min: 2, max: 3, median: 2.5 });
    expect(ratio([2, 30, 5], [1, 10])).toMatchObject({ min: 2, max: 3 });
  });

  it.each([
    [50, 2],
    [75, 3],
    [99, 4],
    [100, 4],
  ])('has rank %d of 1 to 4 at %d', (rank, expected) => {
    expect(percentile([4, 2, 1, 3], rank)).toBe(expected);
  });

  it('reverses the order every other round', () => {
    expect([0, 1, 2].map((round) => alternate(['a', 'b'], round).join(''))).toEqual(['ab', 'ba', 'ab']);
  });

  it.each([
    [0, '0'],
    [0.12345, '0.123'],
    [99.96, '100'],
    [1234567, '1 234 567'],
    [Number.NaN, 'NaN'],
  ])('writes %d as %s', (value, text) => {
    expect(pretty(value)).toBe(text);
  });

  it('writes a number with its range', () => {
    expect(within(1.079, 1, 1.2)).toBe('1.08 (1.00 to 1.20)');
  });
});
