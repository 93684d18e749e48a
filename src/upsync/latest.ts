/**
 * A value that changes, of which only the newest matters: a reader that is slow sees fewer values, never older ones. Any
 * number of readers.
 */
export class Latest<T> {
  #value: { readonly of: T } | undefined;
  #wake: () => void = () => undefined;
  #changed = this.#promise();
  #ended = false;

  get value(): T | undefined {
    return this.#value?.of;
  }

  set(value: T): void {
    if (this.#ended) return;
    this.#value = { of: value };
    this.#next();
  }

  /** Ends every reader once it has seen the newest value. */
  end(): void {
    this.#ended = true;
    this.#next();
  }

  /** The value there is, then each newer one; ends when the signal aborts or after the last value. */
  async *values(signal?: AbortSignal): AsyncGenerator<T, void, undefined> {
    let stop: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => (stop = resolve));
    signal?.addEventListener('abort', stop, { once: true });
    let seen: { readonly of: T } | undefined;
    try {
      while (!signal?.aborted) {
        const changed = this.#changed;
        if (this.#value && this.#value !== seen) {
          seen = this.#value;
          yield seen.of;
        } else if (this.#ended) return;
        else await Promise.race([changed, stopped]);
      }
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  #next(): void {
    const wake = this.#wake;
    this.#changed = this.#promise();
    wake();
  }

  #promise(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}
