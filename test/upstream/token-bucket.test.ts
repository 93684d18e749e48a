import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBucket } from '../../src/upstream/token-bucket.ts';

describe('TokenBucket', () => {
  it('lets a burst pass at once and then one per interval', () => {
    let now = 0;
    const bucket = new TokenBucket({ intervalMs: 1000, burst: 2, now: () => now });
    const passed: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      now += bucket.waitMs();
      passed.push(now);
      bucket.spend();
    }
    expect(passed).toEqual([0, 0, 1000, 2000, 3000]);
  });

  it('is full again after a pause, and not fuller', () => {
    let now = 0;
    const bucket = new TokenBucket({ intervalMs: 100, burst: 3, now: () => now });
    for (let turn = 0; turn < 3; turn++) bucket.spend();
    expect(bucket.waitMs()).toBe(100);
    now = 1_000_000;
    for (let turn = 0; turn < 3; turn++) bucket.spend();
    expect(bucket.waitMs()).toBe(100);
  });

  it('keeps the average whatever the times of asking', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { minLength: 1 }), (pauses) => {
        let now = 0;
        const bucket = new TokenBucket({ intervalMs: 100, burst: 4, now: () => now });
        for (const pause of pauses) {
          now += pause;
          now += bucket.waitMs();
          bucket.spend();
        }
        expect(pauses.length).toBeLessThanOrEqual(4 + now / 100 + 1e-6);
      }),
    );
  });

  it('means no limit with an interval of 0, and bears a clock that goes back', () => {
    const none = new TokenBucket({ intervalMs: 0, burst: 1 });
    none.spend();
    none.spend();
    expect(none.waitMs()).toBe(0);
    let now = 1000;
    const bucket = new TokenBucket({ intervalMs: 10, burst: 1, now: () => now });
    bucket.spend();
    now = 0;
    expect(bucket.waitMs()).toBe(10);
  });
});
