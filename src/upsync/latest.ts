/**
 * A value that changes, of which only the newest matters: a reader that is slow sees fewer values, never older ones. Any
 * number of readers.
 */
export class Latest<T> {
  #value: { readonly of: T } | undefined;
  #listeners: readonly (() => void)[] = [];
  #ended = false;

  get value(): T | undefined {
    return this.#value?.of;
  }

  set(value: T): void {
    if (this.#ended) return;
    this.#value = { of: value };
    this.#tell();
  }

  /** Ends every reader once it has seen the newest value. */
  end(): void {
    this.#ended = true;
    this.#tell();
    this.#listeners = [];
  }

  /** Calls `take` with the value there is and with each newer one, in the moment it comes: what a reader costs the least. */
  each(take: (value: T) => void): void {
    let seen: { readonly of: T } | undefined;
    const look = (): void => {
      if (this.#value === undefined || this.#value === seen) return;
      seen = this.#value;
      take(seen.of);
    };
    if (!this.#ended) this.#listeners = [...this.#listeners, look];
    look();
  }

  /** The value there is, then each newer one; ends when the signal aborts or after the last value. */
  async *values(signal?: AbortSignal): AsyncGenerator<T, void, undefined> {
    let wake: () => void = () => undefined;
    const look = (): void => wake();
    let seen: { readonly of: T } | undefined;
    this.#listeners = [...this.#listeners, look];
    signal?.addEventListener('abort', look, { once: true });
    try {
      while (!signal?.aborted) {
        if (this.#value && this.#value !== seen) {
          seen = this.#value;
          yield seen.of;
        } else if (this.#ended) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      signal?.removeEventListener('abort', look);
      this.#listeners = this.#listeners.filter((listener) => listener !== look);
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
