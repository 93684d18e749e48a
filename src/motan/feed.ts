import { sleep } from '../discovery/sleep.ts';
import { toSourceError } from '../discovery/source-error.ts';
import { Backoff } from '../upstream/backoff.ts';
import type { UpsyncError } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';
import type { ValueSource } from './provider.ts';

/** What a feed knows now. */
export interface FeedState<T> {
  /** The last value told; it outlives failures. */
  readonly value: T | undefined;
  /** When the registry last answered, milliseconds since the epoch. */
  readonly confirmedAt: number | undefined;
  /** Set while the registry cannot be asked. */
  readonly error: UpsyncError | undefined;
}

export interface FeedOptions {
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** @default full jitter from 200 ms up to 5 s */
  readonly backoff?: Backoff;
}

type Listener<T> = (state: FeedState<T>) => void;

const RETRY_CAP_MS = 5000;

/**
 * Keeps one source going for any number of listeners: it runs while there is at least one, asks again after failures, and
 * hands the present state to each new listener at once.
 */
export class Feed<T> {
  readonly #source: ValueSource<T>;
  readonly #options: FeedOptions;
  readonly #listeners = new Set<Listener<T>>();
  #state: FeedState<T> = { value: undefined, confirmedAt: undefined, error: undefined };
  #running: AbortController | undefined;
  #round: AbortController | undefined;

  constructor(source: ValueSource<T>, options: FeedOptions) {
    this.#source = source;
    this.#options = options;
  }

  get description(): string {
    return this.#source.description;
  }

  get state(): FeedState<T> {
    return this.#state;
  }

  get isIdle(): boolean {
    return this.#listeners.size === 0;
  }

  /** Adds a listener; it is called at once when something is known. Gives the function that takes it away again. */
  listen(listener: Listener<T>): () => void {
    this.#listeners.add(listener);
    if (this.#running === undefined) {
      this.#running = new AbortController();
      void this.#run(this.#running.signal);
    }
    if (this.#state.confirmedAt !== undefined || this.#state.error !== undefined) listener(this.#state);
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
      this.#running?.abort();
      this.#running = undefined;
      this.#round?.abort();
    };
  }

  /** Asks the registry afresh, without waiting for a change. */
  recheck(): void {
    this.#round?.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { backoff = new Backoff({ capMs: RETRY_CAP_MS }), logger, now } = this.#options;
    while (!signal.aborted) {
      const round = new AbortController();
      this.#round = round;
      let error: UpsyncError | undefined;
      try {
        for await (const value of this.#source.values(round.signal)) {
          if (signal.aborted) return;
          backoff.reset();
          this.#tell({ value, confirmedAt: now(), error: undefined });
        }
        if (!round.signal.aborted) error = toSourceError(new Error('it ended'), this.#source.description);
      } catch (thrown) {
        if (!round.signal.aborted) error = toSourceError(thrown, this.#source.description);
      }
      if (error === undefined || signal.aborted) continue;
      const retryInMs = backoff.next();
      logger.warn(
        { source: this.#source.description, code: error.code, reason: error.message, retryInMs },
        'registry_failed',
      );
      // Until now the open poll stood for the value.
      const isFirst = this.#state.error === undefined && this.#state.confirmedAt !== undefined;
      this.#tell({ ...this.#state, ...(isFirst ? { confirmedAt: now() } : {}), error });
      await sleep(retryInMs, signal);
    }
  }

  #tell(state: FeedState<T>): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}

/** Feeds by key, so that whoever asks for the same thing shares one; a feed nobody listens to any more is forgotten. */
export class FeedPool<K, T> {
  readonly #open: (key: K) => ValueSource<T>;
  readonly #options: FeedOptions;
  readonly #feeds = new Map<string, Feed<T>>();

  constructor(open: (key: K) => ValueSource<T>, options: FeedOptions) {
    this.#open = open;
    this.#options = options;
  }

  get size(): number {
    return this.#feeds.size;
  }

  /** Listens to the feed of a key; the function ends that. */
  listen(key: K, listener: Listener<T>): { readonly feed: Feed<T>; stop(): void } {
    const text = JSON.stringify(key);
    const feed = this.#feeds.get(text) ?? new Feed(this.#open(key), this.#options);
    this.#feeds.set(text, feed);
    const end = feed.listen(listener);
    return {
      feed,
      stop: () => {
        end();
        if (feed.isIdle && this.#feeds.get(text) === feed) this.#feeds.delete(text);
      },
    };
  }
}
