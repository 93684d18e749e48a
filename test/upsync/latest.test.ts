import { expect, test } from 'vitest';
import { Latest } from '../../src/upsync/latest.ts';

test('a slow reader sees the newest value only, and the end after it', async () => {
  const latest = new Latest<number>();
  latest.set(1);
  const reader = latest.values();
  expect(await reader.next()).toEqual({ done: false, value: 1 });
  for (const value of [2, 3, 4]) latest.set(value);
  expect(await reader.next()).toEqual({ done: false, value: 4 });
  const waiting = reader.next();
  latest.set(5);
  expect(await waiting).toEqual({ done: false, value: 5 });
  latest.set(6);
  latest.end();
  latest.set(7);
  expect(await reader.next()).toEqual({ done: false, value: 6 });
  expect((await reader.next()).done).toBe(true);
});

test('every reader gets the value there is', async () => {
  const latest = new Latest<string>();
  latest.set('a');
  latest.end();
  for (const _ of [1, 2]) {
    const seen: string[] = [];
    for await (const value of latest.values()) seen.push(value);
    expect(seen).toEqual(['a']);
  }
  expect(latest.value).toBe('a');
});

test('a reader that waits ends when its signal aborts', async () => {
  const stop = new AbortController();
  const waiting = new Latest<number>().values(stop.signal).next();
  stop.abort();
  expect((await waiting).done).toBe(true);
});

test('whoever is called gets the value there is and each newer one at once, and nothing after the end', () => {
  const latest = new Latest<number>();
  const seen: number[] = [];
  latest.each((value) => seen.push(value));
  latest.set(1);
  latest.set(2);
  latest.each((value) => seen.push(value * 10));
  latest.set(3);
  latest.end();
  latest.set(4);
  expect(seen).toEqual([1, 2, 20, 3, 30]);
  latest.each((value) => seen.push(value * 100));
  expect(seen).toEqual([1, 2, 20, 3, 30, 300]);
});
