import { describe, expect, it } from 'vitest';
import { Feed, FeedPool, type FeedState } from '../../src/motan/feed.ts';
import { Backoff } from '../../src/upstream/backoff.ts';
import { SILENT } from '../../src/upstream/logger.ts';
import { MemoryRegistry, until } from '../helpers/motan-registry.ts';

const options = { logger: SILENT, now: () => 42, backoff: new Backoff({ baseMs: 1, capMs: 5 }) };

describe('a feed', () => {
  it('tells a new listener what is known, at once, and every change after', async () => {
    const registry = new MemoryRegistry<number>();
    registry.set('x', 1);
    const feed = new Feed(registry.source('x'), options);
    const first: (number | undefined)[] = [];
    const second: (number | undefined)[] = [];
    const ends = [feed.listen(({ value }) => void first.push(value))];
    await until(() => first.length === 1);
    ends.push(feed.listen(({ value }) => void second.push(value)));
    expect(second).toEqual([1]);
    registry.set('x', 2);
    await until(() => second.length === 2);
    expect([first, second]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    for (const end of ends) end();
    await until(() => registry.open === 0);
  });

  it('keeps the last value through failures, and says since when they are', async () => {
    const registry = new MemoryRegistry<number>();
    registry.set('x', 1);
    const feed = new Feed(registry.source('x'), options);
    const end = feed.listen(() => undefined);
    await until(() => feed.state.value === 1);
    registry.fail('x');
    await until(() => feed.state.error !== undefined);
    expect(feed.state).toMatchObject({ value: 1, confirmedAt: 42 } satisfies Partial<FeedState<number>>);
    registry.set('x', 2);
    await until(() => feed.state.value === 2 && feed.state.error === undefined);
    end();
  });

  it('asks afresh when told to', async () => {
    const registry = new MemoryRegistry<number>();
    registry.set('x', 1);
    const feed = new Feed(registry.source('x'), options);
    let told = 0;
    const end = feed.listen(() => told++);
    await until(() => told === 1);
    feed.recheck();
    await until(() => told === 2);
    expect(registry.opened.get('x')).toBe(2);
    end();
  });

  it('runs again for a listener that comes after the last one left', async () => {
    const registry = new MemoryRegistry<number>();
    registry.set('x', 1);
    const feed = new Feed(registry.source('x'), options);
    feed.listen(() => undefined)();
    await until(() => registry.open === 0);
    let told = 0;
    const end = feed.listen(() => told++);
    await until(() => told > 0);
    end();
    await until(() => registry.open === 0);
  });
});

describe('a pool of feeds', () => {
  it('shares one feed per key and forgets it when nobody listens', async () => {
    const registry = new MemoryRegistry<number>();
    registry.set('x', 1);
    const pool = new FeedPool((key: string) => registry.source(key), options);
    const links = [pool.listen('x', () => undefined), pool.listen('x', () => undefined)];
    expect(links[0]!.feed).toBe(links[1]!.feed);
    await until(() => registry.open === 1);
    for (const link of links) link.stop();
    expect(pool.size).toBe(0);
    await until(() => registry.open === 0);
  });
});
