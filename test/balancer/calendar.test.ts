import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Calendar } from '../../src/balancer/calendar.ts';

const ROOM = 64;

/** The three lists as the wheel keeps them, and a calendar over them. */
class Lines {
  readonly keys: number[] = [];
  readonly weights: number[] = [];
  readonly ranks: number[] = [];
  readonly calendar: Calendar;
  turn = 0;

  constructor(weights: readonly number[], fewest: number) {
    weights.forEach((weight) => this.push(0, weight));
    this.calendar = new Calendar(ROOM, this.keys, this.weights, this.ranks, this.turn, fewest);
  }

  push(key: number, weight: number): void {
    this.ranks.push(this.keys.length);
    this.keys.push(key);
    this.weights.push(weight);
  }

  add(weight: number): void {
    if (this.keys.length === ROOM) return;
    this.push(-weight * this.turn, weight);
    this.calendar.touch(this.keys.length - 1);
  }

  remove(): void {
    if (this.keys.length === 0) return;
    this.keys.pop();
    this.weights.pop();
    this.ranks.pop();
    this.calendar.touch(this.keys.length);
  }

  change(which: number, amount: number): void {
    if (this.keys.length === 0) return;
    const place = which % this.keys.length;
    this.keys[place]! += amount;
    this.calendar.touch(place);
  }

  /** The highest by looking at all of them. */
  scan(): number {
    let best = -1;
    let bestValue = -Infinity;
    this.keys.forEach((key, place) => {
      const value = key + this.weights[place]! * this.turn;
      if (value > bestValue) [best, bestValue] = [place, value];
    });
    return best;
  }

  /** Turns, checks, and lowers the winner by the sum of the weights. */
  next(): void {
    this.turn += 1;
    const best = this.calendar.best(this.turn);
    expect(best).toBe(this.scan());
    if (best < 0) return;
    this.keys[best]! -= this.weights.reduce((sum, weight) => sum + weight, 0);
    this.calendar.touch(best);
  }
}

const weight = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 1_000_000 }));
const step = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('next' as const), amount: fc.nat({ max: 30 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('add' as const), amount: weight }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), amount: fc.constant(0) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('change' as const),
      amount: fc.integer({ min: -70_000, max: 70_000 }),
      which: fc.nat(),
    }),
  },
  // As when only weak servers are asked for a while, or when nobody asks at all.
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), amount: fc.nat({ max: 300 }) }) },
);

test('the calendar finds the highest line, whichever come, go, change or wait', () => {
  fc.assert(
    fc.property(
      fc.array(weight, { maxLength: ROOM }),
      fc.integer({ min: 1, max: 12 }),
      fc.array(step, { maxLength: 80 }),
      (weights, fewest, steps) => {
        const lines = new Lines(weights, fewest);
        for (const action of steps) {
          if (action.kind === 'next') for (let i = 0; i <= action.amount; i++) lines.next();
          if (action.kind === 'add') lines.add(action.amount);
          if (action.kind === 'remove') lines.remove();
          if (action.kind === 'change') lines.change(action.which, action.amount);
          if (action.kind === 'wait') lines.turn += action.amount;
        }
      },
    ),
    { numRuns: 500 },
  );
});

test.each([
  ['one far above all others', Array.from({ length: 60 }, (_, i) => (i === 0 ? 650_000 : i))],
  ['each half of the one before', Array.from({ length: 16 }, (_, i) => 65_536 / 2 ** i)],
  ['sixty-fourths, as in a slow start', Array.from({ length: 64 }, (_, i) => (i + 1) / 64)],
  ['close together', Array.from({ length: 64 }, (_, i) => 65_000 + i)],
])('the calendar finds the highest line among weights that are %s', (_, weights) => {
  const lines = new Lines(weights, 4);
  for (let i = 0; i < 5000; i++) lines.next();
});
