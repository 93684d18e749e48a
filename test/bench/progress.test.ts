import { describe, expect, it } from 'vitest';
import { estimate, remaining } from '../../bench/progress.ts';

const full = { rounds: 3, scale: 1 };

describe('how long a run takes', () => {
  it.each([
    ['three rounds', { minutes: 6 }, full, 6],
    ['one round', { minutes: 6 }, { rounds: 1, scale: 1 }, 2],
    ['what is done once', { minutes: 6, minutesOnce: 6 }, { rounds: 1, scale: 1 }, 6],
    ['a part that is done once', { minutes: 6, minutesOnce: 3 }, { rounds: 6, scale: 1 }, 9],
  ])('is estimated for %s', (_, scenario, how, expected) => {
    expect(estimate(scenario, how)).toBeCloseTo(expected);
  });

  it('is not a fifth when a fifth is measured, since programs start and end as before', () => {
    const quick = estimate({ minutes: 10 }, { rounds: 3, scale: 0.2 });
    expect(quick).toBeGreaterThan(2);
    expect(quick).toBeLessThan(10);
  });

  it.each([
    ['nothing is done', { at: 0, spent: 0, spentHere: 0 }, 6],
    ['a scenario is half done', { at: 0, spent: 1, spentHere: 1 }, 5],
    ['one took as long as it should', { at: 1, spent: 2, spentHere: 0 }, 4],
    ['one took twice as long', { at: 1, spent: 4, spentHere: 0 }, 8],
    ['the last takes longer than it should', { at: 2, spent: 9, spentHere: 5 }, 0],
  ])('is left when %s', (_, position, expected) => {
    expect(remaining({ estimates: [2, 2, 2], ...position })).toBeCloseTo(expected);
  });
});
