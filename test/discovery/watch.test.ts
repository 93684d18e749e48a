import { describe, expect, it } from 'vitest';
import { SourceError } from '../../src/discovery/source-error.ts';
import type { Source, SourceList } from '../../src/discovery/source.ts';
import { watch, type WatchEvent } from '../../src/discovery/watch.ts';
import { Backoff } from '../../src/upstream/backoff.ts';
import { createServer } from '../../src/upstream/server.ts';

const list = (...addresses: string[]): SourceList => ({
  servers: addresses.map((address) => createServer(address)),
  rejected: [],
});

/** A source that goes through its steps, one set for each time it is asked for lists. */
function scripted(...rounds: (SourceList | Error)[][]): Source & { asked: number } {
  return {
    asked: 0,
    description: 'scripted',
    async *lists(signal) {
      for (const step of rounds[this.asked++] ?? []) {
        if (step instanceof Error) throw step;
        yield step;
      }
      if (this.asked >= rounds.length && !signal.aborted)
        await new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => {
            resolve();
          });
        });
    },
  };
}

async function take(
  source: Source,
  count: number,
  backoff = new Backoff({ random: () => 0 }),
): Promise<WatchEvent[]> {
  const abort = new AbortController();
  const events: WatchEvent[] = [];
  for await (const event of watch(source, { signal: abort.signal, backoff })) {
    events.push(event);
    if (events.length === count) abort.abort();
  }
  return events;
}

const brief = (event: WatchEvent) =>
  event.ok
    ? event.list.servers.map(({ address }) => address).join(',')
    : `${event.error.code} ${event.failures}`;

describe('watch', () => {
  it('tells lists and failures in order, and asks again after a failure', async () => {
    const broken = new SourceError('SOURCE_STATUS', 'answered 500');
    const source = scripted([list('a:1'), broken], [broken], [list('b:1')]);
    const events = await take(source, 4);
    expect(events.map(brief)).toEqual(['a:1', 'SOURCE_STATUS 1', 'SOURCE_STATUS 2', 'b:1']);
  });

  it('drops a list that equals the one before, in another order or after a failure', async () => {
    const broken = new SourceError('SOURCE_STATUS', 'answered 500');
    const same = scripted(
      [list('a:1', 'b:1'), list('b:1', 'a:1'), broken],
      [list('a:1', 'b:1'), list('c:1')],
    );
    expect((await take(same, 3)).map(brief)).toEqual(['a:1,b:1', 'SOURCE_STATUS 1', 'c:1']);
  });

  it('tells a list again when only what was refused in it changed', async () => {
    const refused = { where: 'x', code: 'BAD_ADDRESS', reason: 'no port' };
    const events = await take(scripted([list('a:1'), { ...list('a:1'), rejected: [refused] }]), 2);
    expect(events[1]).toMatchObject({ ok: true, list: { rejected: [refused] } });
  });

  it('waits longer from failure to failure, and starts over on contact', async () => {
    const broken = new SourceError('SOURCE_UNREACHABLE', 'refused');
    const source = scripted([broken], [broken], [broken], [list('a:1'), broken], [list('b:1')]);
    const events = await take(source, 6, new Backoff({ baseMs: 2, capMs: 5, random: () => 0.999 }));
    expect(events.map((event) => (event.ok ? 'list' : event.retryInMs))).toEqual([
      1,
      3,
      4,
      'list',
      1,
      'list',
    ]);
  });

  it('makes an error with a code of anything that is thrown, or of an end nobody asked for', async () => {
    const events = await take(scripted([new TypeError('x is not a function')], [], [list('a:1')]), 3);
    expect(events.map(brief)).toEqual(['SOURCE_FAILED 1', 'SOURCE_ENDED 2', 'a:1']);
  });

  it('ends at once when aborted, also while it waits before the next try', async () => {
    const abort = new AbortController();
    const source = scripted([new SourceError('SOURCE_STATUS', 'answered 500')], []);
    const events = watch(source, {
      signal: abort.signal,
      backoff: new Backoff({ baseMs: 60_000, capMs: 60_000, random: () => 0.9 }),
    });
    await events.next();
    const end = events.next();
    abort.abort();
    expect(await end).toEqual({ done: true, value: undefined });
    expect(source.asked).toBe(1);
  });

  it('does not ask the source when aborted before', async () => {
    const source = scripted([list('a:1')]);
    expect(await watch(source, { signal: AbortSignal.abort() }).next()).toMatchObject({ done: true });
    expect(source.asked).toBe(0);
  });

  it('lets the source go on only when the next event is asked for', async () => {
    let gone = 0;
    const source: Source = {
      description: 'counting',
      async *lists() {
        for (;;) yield list(`a:${++gone}`);
      },
    };
    const abort = new AbortController();
    const events = watch(source, { signal: abort.signal });
    await events.next();
    await new Promise(setImmediate);
    expect(gone).toBe(1);
    await events.next();
    expect(gone).toBe(2);
    abort.abort();
    await events.return(undefined);
  });
});
