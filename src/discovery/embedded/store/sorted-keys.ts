/** Strings in order, without duplicates, for cheap prefix scans: look-ups are binary, a scan touches only its own part. */
export class SortedKeys {
  readonly #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  at(position: number): string | undefined {
    return this.#keys[position];
  }

  add(key: string): void {
    const last = this.#keys.at(-1);
    // Loading a file adds in order: no search, no shift.
    if (last === undefined || last < key) {
      this.#keys.push(key);
      return;
    }
    const position = this.#firstNotBelow(key);
    if (this.#keys[position] !== key) this.#keys.splice(position, 0, key);
  }

  delete(key: string): void {
    const position = this.#firstNotBelow(key);
    if (this.#keys[position] === key) this.#keys.splice(position, 1);
  }

  /** Removes and returns every key that starts with `prefix`. */
  deletePrefix(prefix: string): string[] {
    const [from, to] = this.range(prefix);
    return this.#keys.splice(from, to - from);
  }

  /** Positions `[from, to)` of the keys that start with `prefix`. */
  range(prefix: string): [from: number, to: number] {
    const from = this.#firstNotBelow(prefix);
    return [from, this.#search((key) => key < prefix || key.startsWith(prefix))];
  }

  #firstNotBelow(key: string): number {
    return this.#search((other) => other < key);
  }

  // Position of the first key for which `isBefore` no longer holds.
  #search(isBefore: (key: string) => boolean): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#keys[middle]!)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
