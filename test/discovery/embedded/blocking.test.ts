import { describe, expect, it } from 'vitest';
import { blockingQuery, type BlockingOptions } from '../../../src/discovery/embedded/blocking.ts';
import { Indexes } from '../../../src/discovery/embedded/store/indexes.ts';
import { createManualClock } from '../../helpers/embedded-registry.ts';

function setUp(options: Partial<BlockingOptions> = {}) {
  const indexes = new Indexes();
  const clock = createManualClock();
  const leaving = new AbortController();
  indexes.write(() => indexes.touch('topic'));
  const start = indexes.of('topic');
  const run = blockingQuery(() => ({ index: indexes.of('topic') }), {
    ...{ minIndex: start, waitMs: 1000, topics: ['topic'], random: () => 0, indexes, clock },
    signal: leaving.signal,
    ...options,
  });
  return { clock, indexes, leaving, run, start };
}

describe('a blocking query', () => {
  it('answers at once without an index to wait for', async () => {
    const { clock, run, start } = setUp({ minIndex: 0 });
    expect(await run).toEqual({ index: start });
    expect(clock.pending).toBe(0);
  });

  it('answers when a topic of it is touched, and frees timer and waiter', async () => {
    const { clock, indexes, run } = setUp();
    indexes.write(() => indexes.touch('other'));
    indexes.write(() => indexes.touch('topic'));
    expect(await run).toEqual({ index: indexes.current });
    expect([clock.pending, indexes.watched]).toEqual([0, 0]);
  });

  it.each([
    [1000, 0, 1000],
    [1600, 0.5, 1650],
    [0, 0, 300_000],
    [-5, 0, 300_000],
    [3_600_000, 0, 600_000],
    [3_600_000, 0.999999, 637_499],
  ])('waits %i ms with jitter %d for %i ms', async (waitMs, jitter, expected) => {
    const { clock, indexes, run, start } = setUp({ waitMs, random: () => jitter });
    clock.advance(expected - 1);
    expect(indexes.watched).toBe(1);
    clock.advance(2);
    expect(await run).toEqual({ index: start });
    expect(indexes.watched).toBe(0);
  });

  it('gives up when the client leaves, and frees timer and waiter', async () => {
    const { clock, indexes, leaving, run } = setUp();
    leaving.abort();
    expect(await run).toBeUndefined();
    expect([clock.pending, indexes.watched]).toEqual([0, 0]);
  });

  it('does not start to wait for a client that has left already', async () => {
    const { clock, indexes, run } = setUp({ signal: AbortSignal.abort() });
    expect(await run).toBeUndefined();
    expect([clock.pending, indexes.watched]).toEqual([0, 0]);
  });
});
