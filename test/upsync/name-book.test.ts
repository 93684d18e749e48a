import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SILENT } from '../../src/upstream/logger.ts';
import { NameBook } from '../../src/upsync/name-book.ts';
import type { NameAnswer } from '../../src/upsync/resolve-names.ts';

let zone: Record<string, NameAnswer | Error>;
let asked: string[];
let book: NameBook;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  zone = { 'a.test': { addresses: ['10.0.0.1', '::1'], ttlMs: 5000 } };
  book = new NameBook({
    logger: SILENT,
    random: () => 0.999,
    resolve: async (host) => {
      asked.push(host);
      const answer = zone[host] ?? new Error(`queryA ENOTFOUND ${host}`);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
});
afterEach(() => {
  book.close();
  vi.useRealTimers();
});

test('asks once for all who need a name, and again when its time to live ends', async () => {
  const one = vi.fn();
  const other = vi.fn();
  await Promise.all([book.follow('one', ['a.test'], one), book.follow('other', ['a.test'], other)]);
  expect(asked).toEqual(['a.test']);
  expect(book.addresses('a.test')).toEqual(['10.0.0.1', '::1']);
  one.mockClear();
  zone['a.test'] = { addresses: ['10.0.0.2'], ttlMs: 5000 };
  await vi.advanceTimersByTimeAsync(4999);
  expect(asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(book.addresses('a.test')).toEqual(['10.0.0.2']);
  expect(one).toHaveBeenCalledTimes(1);
});

test('an answer in another order is no change', async () => {
  const changed = vi.fn();
  await book.follow('one', ['a.test'], changed);
  changed.mockClear();
  zone['a.test'] = { addresses: ['::1', '10.0.0.1'], ttlMs: 5000 };
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toHaveLength(2);
  expect(changed).not.toHaveBeenCalled();
});

test('keeps the last addresses when the name is gone, tries again with growing pauses, and takes the new ones', async () => {
  await book.follow('one', ['a.test'], () => undefined);
  zone['a.test'] = new Error('queryA ENOTFOUND a.test');
  await vi.advanceTimersByTimeAsync(5000);
  expect(book.addresses('a.test')).toEqual(['10.0.0.1', '::1']);
  expect(book.problem('a.test')).toMatch(/ENOTFOUND/);
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked).toHaveLength(3);
  zone['a.test'] = { addresses: ['10.0.0.9'], ttlMs: 5000 };
  await vi.advanceTimersByTimeAsync(1000);
  expect(book.addresses('a.test')).toEqual(['10.0.0.9']);
  expect(book.problem('a.test')).toBeUndefined();
});

test('keeps the addresses of a family that nobody answered for', async () => {
  await book.follow('one', ['a.test'], () => undefined);
  zone['a.test'] = { addresses: ['10.0.0.3'], ttlMs: 5000, incomplete: 6 };
  await vi.advanceTimersByTimeAsync(5000);
  expect(book.addresses('a.test')).toEqual(['10.0.0.3', '::1']);
});

test('forgets names nobody needs any more', async () => {
  await book.follow('one', ['a.test', 'b.test'], () => undefined);
  await book.follow('one', ['b.test'], () => undefined);
  expect(book.addresses('a.test')).toEqual([]);
  book.unfollow('one');
  asked.length = 0;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toEqual([]);
});
