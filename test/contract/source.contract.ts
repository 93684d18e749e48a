import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Source } from '../../src/discovery/source.ts';
import { ListReader, summary } from '../helpers/reading-lists.ts';

/** A registry with one list in it, as the suite drives it. */
export interface SourceBench {
  /** A source of the list; called anew it gives a new source. */
  open(): Source;
  /** Makes the list hold these addresses with these weights, in one step or several. */
  set(servers: Readonly<Record<string, number>>): Promise<void>;
  /** Adds an entry that is not usable. */
  spoil(): Promise<void>;
  /** Makes the registry unreachable for good. */
  cut(): Promise<void>;
  close(): Promise<void>;
}

/** What every source keeps to, whatever its registry. */
export function describeSource(name: string, start: () => Promise<SourceBench>): void {
  describe(`the source contract: ${name}`, () => {
    let bench: SourceBench;
    let readers: ListReader[] = [];
    beforeEach(async () => {
      bench = await start();
    });
    afterEach(async () => {
      await Promise.all(readers.map((reader) => reader.stop().catch(() => false)));
      readers = [];
      await bench.close();
    });
    const read = (source = bench.open()): ListReader => {
      const reader = new ListReader(source);
      readers.push(reader);
      return reader;
    };
    /** Reads on until the list is as wanted; a change made in several steps may be seen in several lists. */
    const until = async (reader: ListReader, wanted: string[]): Promise<void> => {
      for (;;) {
        const seen = summary(await reader.next(10_000)).sort();
        if (seen.join() === [...wanted].sort().join()) return;
      }
    };

    it('tells the whole list at once, and again after each change', async () => {
      await bench.set({ '10.0.0.1:80': 1, '10.0.0.2:80': 5 });
      const reader = read();
      expect(summary(await reader.next()).sort()).toEqual(['10.0.0.1:80', '10.0.0.2:80*5']);
      await bench.set({ '10.0.0.1:80': 1, '10.0.0.2:80': 6 });
      await until(reader, ['10.0.0.1:80', '10.0.0.2:80*6']);
      await bench.set({ '10.0.0.2:80': 6, '10.0.0.3:80': 1 });
      await until(reader, ['10.0.0.2:80*6', '10.0.0.3:80']);
    });

    it('tells an empty list as such', async () => {
      await bench.set({ '10.0.0.1:80': 1 });
      const reader = read();
      expect((await reader.next()).servers).toHaveLength(1);
      await bench.set({});
      await until(reader, []);
      await bench.set({ '10.0.0.2:80': 1 });
      await until(reader, ['10.0.0.2:80']);
    });

    it('reports an entry it cannot use and uses the rest', async () => {
      await bench.set({ '10.0.0.1:80': 1 });
      await bench.spoil();
      const list = await read().next();
      expect(summary(list)).toEqual(['10.0.0.1:80']);
      expect(list.rejected).toHaveLength(1);
      expect(list.rejected[0]!.where).not.toBe('');
    });

    it('tells a list that was not taken again, and misses no change that came meanwhile', async () => {
      await bench.set({ '10.0.0.1:80': 1 });
      const source = bench.open();
      const first = read(source);
      await first.next();
      await bench.set({ '10.0.0.1:80': 2 });
      expect(await first.stop()).toBe(true);
      expect(summary(await read(source).next())).toEqual(['10.0.0.1:80*2']);
    });

    it('tells a change that came between two requests for a list', async () => {
      await bench.set({ '10.0.0.1:80': 1 });
      const reader = read();
      await reader.next();
      for (const weight of [2, 3, 4]) await bench.set({ '10.0.0.1:80': weight });
      await until(reader, ['10.0.0.1:80*4']);
    });

    it('serves two readers at a time', async () => {
      await bench.set({ '10.0.0.1:80': 1 });
      const source = bench.open();
      const [one, two] = [read(source), read(source)];
      await Promise.all([one.next(), two.next()]);
      const both = Promise.all([until(one, ['10.0.0.1:80*7']), until(two, ['10.0.0.1:80*7'])]);
      await bench.set({ '10.0.0.1:80': 7 });
      await both;
    });

    it('ends quietly when aborted, while it waits as well as before it is asked', async () => {
      await bench.set({ '10.0.0.1:80': 1 });
      const reader = read();
      await reader.next();
      expect(await reader.isQuiet(30)).toBe(true);
      expect(await reader.stop()).toBe(true);
      const lists = bench.open().lists(AbortSignal.abort())[Symbol.asyncIterator]();
      expect((await lists.next()).done).toBe(true);
    });

    it('throws an error with a code when the registry is gone', async () => {
      await bench.set({ '10.0.0.1:80': 1 });
      const reader = read();
      await reader.next();
      const failure = reader.next().catch((error: unknown) => error);
      await bench.cut();
      const code = expect.stringMatching(/^SOURCE_/) as string;
      expect(await failure).toMatchObject({ name: 'SourceError', code });
      await expect(read().next()).rejects.toMatchObject({ code });
    });

    it('describes itself without secrets', () => {
      const { description } = bench.open();
      expect(description).toMatch(/^[a-z_]+ \S/);
      expect(description).not.toContain('secret');
    });
  });
}
