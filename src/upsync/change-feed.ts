import type { Snapshot } from '../upstream/snapshot.ts';

/** Tells any number of readers about new lists; a reader that is slow gets only the newest of each upstream. */
export class ChangeFeed {
  readonly #readers = new Set<{ readonly pending: Map<string, Snapshot>; wake: () => void }>();
  #ended = false;

  publish(snapshot: Snapshot): void {
    for (const reader of this.#readers) {
      reader.pending.set(snapshot.upstream, snapshot);
      reader.wake();
    }
  }

  /** Ends all readers. */
  end(): void {
    this.#ended = true;
    for (const reader of this.#readers) reader.wake();
  }

  /** Changes from now on, until the signal aborts or the feed ends. */
  read(signal?: AbortSignal): AsyncGenerator<Snapshot, void, undefined> {
    const reader = { pending: new Map<string, Snapshot>(), wake: () => undefined as void };
    // Registered here and not at the first `next()`, so that nothing in between is missed.
    this.#readers.add(reader);
    return this.#run(reader, signal);
  }

  async *#run(
    reader: { readonly pending: Map<string, Snapshot>; wake: () => void },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Snapshot, void, undefined> {
    const wake = (): void => reader.wake();
    signal?.addEventListener('abort', wake, { once: true });
    try {
      while (!signal?.aborted) {
        for (const [upstream, snapshot] of reader.pending) {
          reader.pending.delete(upstream);
          yield snapshot;
        }
        if (this.#ended) return;
        if (reader.pending.size === 0 && !signal?.aborted)
          await new Promise<void>((resolve) => (reader.wake = resolve));
      }
    } finally {
      this.#readers.delete(reader);
      signal?.removeEventListener('abort', wake);
    }
  }
}
