import { describe, expect, it } from 'vitest';
import { churnRows } from '../../../bench/scenarios/churn-ratio.ts';
import type { Measured } from '../../../bench/scenarios/churn-plan.ts';

/** A measurement whose every request took that long. */
function measured(base: boolean, ms: number): Measured {
  const sample = { ok: 10, errors: {}, dropped: 0, microseconds: Array<number>(10).fill(ms * 1000) };
  return {
    base,
    variant: base ? 'static' : 'upsync',
    changes: base ? 'none' : '10 a second',
    seconds: 1,
    result: { keepalive: sample, short: sample, late: [] },
  } as unknown as Measured;
}

describe('the ratio of a variant to static', () => {
  const ratioOf = (...sequences: readonly (readonly Measured[])[]) =>
    churnRows(sequences, 'keepalive').find(({ variant }) => variant === 'upsync')!;

  it('is that of each measurement to its own neighbours', () => {
    const { ratio } = ratioOf([measured(true, 1), measured(false, 2), measured(true, 1)]);
    expect(ratio).toBeCloseTo(2, 2);
  });

  it('is not decided by one turn in which the machine stalled', () => {
    const turn = [measured(true, 1), measured(false, 1)];
    const stalled = [measured(true, 1), measured(false, 50)];
    const { ratio, latency } = ratioOf([...turn, ...turn, ...stalled, ...turn, measured(true, 1)]);
    expect(ratio).toBeCloseTo(1, 2);
    expect(latency.p99).toBeCloseTo(50, 0);
  });

  it('shows how far the rounds lie apart', () => {
    const round = (ms: number) => [measured(true, 1), measured(false, ms), measured(true, 1)];
    const { ratio, ratios } = ratioOf(round(1), round(2), round(4));
    expect([ratio, ratios.min, ratios.max].map((value) => Math.round(value * 10))).toEqual([20, 10, 40]);
  });
});
