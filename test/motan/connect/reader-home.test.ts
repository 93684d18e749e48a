import { describe, expect, it } from 'vitest';
import { ReaderHome } from '../../../src/motan/connect/reader-home.ts';
import { resolutionOf } from '../../helpers/resolution.ts';

const COUNT = 10_000;
let seed = 7;
// The generator is fixed, so that this is no matter of luck.
const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;

describe('the homes of many readers', () => {
  it('are spread as the shares say from change to change, and no more change than have to', () => {
    const steps: readonly Record<string, number>[] = [
      { a1: 1, a2: 0, b1: 0 },
      { a1: 0.7, a2: 0, b1: 0.3 },
      { a1: 0.5, a2: 0.5, b1: 0 },
      { a1: 0.5, a2: 0.5, b1: 0 },
      { a1: 0.1, a2: 0.6, b1: 0.3 },
      { a2: 1 },
    ];
    const readers = Array.from({ length: COUNT }, () => new ReaderHome(random));
    let before: Record<string, number> = {};
    let homes: (string | undefined)[] = [];
    for (const shares of steps) {
      const resolution = resolutionOf(...Object.entries(shares).map((entry) => entry.join(' ')));
      const after = readers.map((reader) => reader.in(resolution)!.address);
      for (const [address, share] of Object.entries(shares))
        expect(after.filter((one) => one === address).length / COUNT).toBeCloseTo(share, 1.5);
      const moved = after.filter(
        (one, reader) => homes[reader] !== undefined && one !== homes[reader],
      ).length;
      const shrunk = Object.entries(before).map(([one, had]) => Math.max(0, had - (shares[one] ?? 0)));
      expect(moved / COUNT).toBeCloseTo(
        shrunk.reduce((sum, one) => sum + one, 0),
        1.5,
      );
      expect(readers.map((reader) => reader.in(resolution)!.address)).toEqual(after);
      [before, homes] = [shares, after];
    }
  });

  it('are kept while nobody has traffic, and drawn anew where none is left', () => {
    const reader = new ReaderHome(random);
    expect(reader.in(resolutionOf('a1 0'))).toBeUndefined();
    expect(reader.in(resolutionOf('a1 1'))?.address).toBe('a1');
    expect(reader.in(resolutionOf('a1 0', 'b1 0'))).toBeUndefined();
    expect(reader.in(resolutionOf('a1 0.5', 'b1 0.5'))).toBeDefined();
    expect(reader.in(resolutionOf('c1 1'))?.address).toBe('c1');
  });
});
