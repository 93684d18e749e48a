import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planLoads, spill } from '../../src/motan/spill.ts';

const level = (healthy: number, total = 100) => ({ healthy, total });

describe('spill', () => {
  it.each([
    [100, [100, 0]],
    [72, [100, 0]],
    [71, [99, 1]],
    [50, [70, 30]],
    [25, [35, 65]],
    [0, [0, 100]],
  ])('with %i %% of the first level healthy and a healthy second gives %j', (healthy, loads) => {
    expect(spill([level(healthy), level(100)]).loads).toEqual(loads);
  });

  it.each([
    [
      [100, 100, 100],
      [100, 0, 0],
    ],
    [
      [25, 25, 100],
      [35, 35, 30],
    ],
    [
      [25, 25, 20],
      [37, 35, 28],
    ],
    [
      [0, 0, 10],
      [0, 0, 100],
    ],
    [
      [20, 0, 0],
      [100, 0, 0],
    ],
  ])('spreads %j over three levels as %j, scaled up when all together are short', (healthy, loads) => {
    expect(spill(healthy.map((one) => level(one))).loads).toEqual(loads);
  });

  it('panics only where fewer than half are healthy and nobody is left to help', () => {
    expect(spill([level(25), level(100)]).panic).toEqual([false, false]);
    expect(spill([level(25), level(30)]).panic).toEqual([true, true]);
    expect(spill([level(60), level(1)]).panic).toEqual([false, true]);
    expect(spill([level(50), level(10)]).panic).toEqual([false, true]);
    expect(spill([level(25)], { panicThreshold: 0 }).panic).toEqual([false]);
  });

  it('uses every server of the best level that has any when nothing is healthy', () => {
    expect(spill([level(0), level(0)])).toMatchObject({ loads: [100, 0], panic: [true, false] });
    expect(spill([level(0, 0), level(0)])).toMatchObject({ loads: [0, 100], panic: [false, true] });
    expect(spill([level(0, 0)])).toMatchObject({ loads: [0], panic: [false] });
    expect(spill([])).toEqual({ loads: [], panic: [], short: true });
  });

  it('adds up to 100 and gives nothing to a level without healthy servers', () => {
    const levels = fc.array(
      fc.tuple(fc.nat(50), fc.nat(50)).map(([a, b]) => ({ healthy: Math.min(a, b), total: Math.max(a, b) })),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(levels, (all) => {
        const { loads } = spill(all);
        const sum = loads.reduce((total, load) => total + load, 0);
        expect(sum).toBe(all.some(({ total }) => total > 0) ? 100 : 0);
        if (all.some(({ healthy }) => healthy > 0))
          loads.forEach((load, at) => expect(load === 0 || all[at]!.healthy > 0).toBe(true));
      }),
    );
  });
});

describe('planLoads', () => {
  it('follows the weights while all levels can serve', () => {
    expect(planLoads([level(100), level(80), level(100)], [70, 20, 10])).toEqual([70, 20, 10]);
  });

  it('takes from a level what it cannot carry', () => {
    expect(planLoads([level(50), level(100)], [50, 50])!.map(Math.round)).toEqual([41, 59]);
    expect(planLoads([level(0), level(100), level(100)], [80, 20, 0])).toEqual([0, 100, 0]);
  });

  it('gives way when none of the weighted levels can serve', () => {
    expect(planLoads([level(0), level(100)], [100, 0])).toBeUndefined();
  });
});
