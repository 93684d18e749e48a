import type { Source, SourceList } from '../../src/discovery/source.ts';

/** A source being read one list at a time, with a bound on each wait. */
export class ListReader {
  readonly source: Source;
  readonly #abort = new AbortController();
  readonly #iterator: AsyncIterator<SourceList>;
  #pending: Promise<IteratorResult<SourceList>> | undefined;

  constructor(source: Source) {
    this.source = source;
    this.#iterator = source.lists(this.#abort.signal)[Symbol.asyncIterator]();
  }

  /** The next list; rejects with what the source throws, or when none comes in time. */
  async next(withinMs = 5_000): Promise<SourceList> {
    const result = await this.#result(withinMs);
    if (result === 'late') throw new Error(`no list within ${withinMs} ms`);
    if (result.done === true) throw new Error('the source ended');
    return result.value;
  }

  /** True when no list comes within the time; the wait goes on with the next call. */
  async isQuiet(forMs: number): Promise<boolean> {
    return (await this.#result(forMs)) === 'late';
  }

  /** Aborts, and resolves with whether the source then ended without throwing or a last list. */
  async stop(): Promise<boolean> {
    this.#abort.abort();
    const result = await this.#result(5_000);
    return result !== 'late' && result.done === true;
  }

  async #result(withinMs: number): Promise<IteratorResult<SourceList> | 'late'> {
    this.#pending ??= this.#iterator.next();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, withinMs, 'late');
    });
    try {
      const result = await Promise.race([this.#pending, late]);
      if (result !== 'late') this.#pending = undefined;
      return result;
    } catch (error) {
      this.#pending = undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** `10.0.0.1:80*5` for weight 5, with `down`, `backup` and `drain` after it: short enough for a table. */
export function summary(list: SourceList): string[] {
  return list.servers.map(({ address, weight, down, backup, drain }) => {
    const flags = `${down ? ' down' : ''}${backup ? ' backup' : ''}${drain ? ' drain' : ''}`;
    return `${address}${weight === 1 ? '' : `*${weight}`}${flags}`;
  });
}
