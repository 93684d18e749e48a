/** Where an index starts. Consul never hands out 0, since `index=0` means "do not wait". */
const FIRST_INDEX = 1;

/**
 * The one counter every write takes a number from, and the many indexes blocking queries compare with: for each topic
 * (a table, a service, a node, a KV prefix) the number of the last write that touched it. Waiters are told after the
 * write is complete, so they always see all of it.
 */
export class Indexes {
  #current = FIRST_INDEX;
  #floor = FIRST_INDEX;
  readonly #touched = new Map<string, number>();
  readonly #waiters = new Map<string, Set<() => void>>();
  readonly #woken = new Set<() => void>();
  readonly #afterWrite: (() => void)[] = [];
  #depth = 0;

  get current(): number {
    return this.#current;
  }

  /** Below this no answer's index ever falls: what was handed out before a restart or a clean-up. */
  get floor(): number {
    return this.#floor;
  }

  /** Runs one write under the next index. Writes inside a write share its index. */
  write<T>(change: (index: number) => T): T {
    if (this.#depth === 0) this.#current += 1;
    this.#depth += 1;
    try {
      return change(this.#current);
    } finally {
      this.#depth -= 1;
      if (this.#depth === 0) this.#tell();
    }
  }

  /** Marks a topic as touched by the write going on. */
  touch(topic: string): void {
    this.#touched.set(topic, this.#current);
    this.wake(topic);
  }

  /** Wakes the waiters of a topic whose index is kept elsewhere. */
  wake(topic: string): void {
    for (const waiter of this.#waiters.get(topic) ?? []) this.#woken.add(waiter);
  }

  /** True when somebody waits for that topic. */
  isWatched(topic: string): boolean {
    return this.#waiters.has(topic);
  }

  /** Drops a topic that will not be asked for again. */
  forget(topic: string): void {
    this.#touched.delete(topic);
  }

  /** The highest index of these topics, at least the floor; 0 when `topics` is empty and nothing was ever raised. */
  of(...topics: string[]): number {
    return Math.max(this.#floor, ...topics.map((topic) => this.#touched.get(topic) ?? 0));
  }

  /** The index of one topic, or undefined when it was never touched. */
  peek(topic: string): number | undefined {
    const index = this.#touched.get(topic);
    return index === undefined ? undefined : Math.max(index, this.#floor);
  }

  /** Calls `waiter` after each write that touches one of the topics, until the returned function is called. */
  watch(topics: readonly string[], waiter: () => void): () => void {
    for (const topic of topics) {
      const set = this.#waiters.get(topic) ?? new Set();
      this.#waiters.set(topic, set.add(waiter));
    }
    return () => {
      for (const topic of topics) {
        const set = this.#waiters.get(topic);
        set?.delete(waiter);
        if (set?.size === 0) this.#waiters.delete(topic);
      }
    };
  }

  /** Number of topics somebody waits for. */
  get watched(): number {
    return this.#waiters.size;
  }

  /** Calls `listener` after every write. */
  onWrite(listener: () => void): void {
    this.#afterWrite.push(listener);
  }

  /** Never answers below `index` again. */
  raiseFloor(index: number): void {
    this.#floor = Math.max(this.#floor, index);
    this.#current = Math.max(this.#current, index);
  }

  #tell(): void {
    const woken = [...this.#woken];
    this.#woken.clear();
    for (const listener of this.#afterWrite) listener();
    for (const waiter of woken) waiter();
  }
}
