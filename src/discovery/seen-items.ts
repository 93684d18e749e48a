const NOTHING = Buffer.alloc(0);
/** Items compared in one go. */
const LONGEST_RUN = 256;

/** An array that came from a registry: its bytes, where each item stands in them, and what was made of each item. */
export class SeenItems<T extends { readonly key: string }> {
  #body: Buffer = NOTHING;
  #made: (T | undefined)[] = [];
  #count = 0;
  /** First byte of an item and the one after its last, by turns. */
  #bounds = new Uint32Array(16);

  /** What was made of each item; undefined where it was none of ours. To be read between `finish` and the next `begin`. */
  get made(): readonly (T | undefined)[] {
    return this.#made;
  }

  /** Length of the bytes. */
  get bytes(): number {
    return this.#body.length;
  }

  /** Gives the bytes away; until `begin` nothing may be asked that needs them. */
  release(): Buffer {
    const body = this.#body;
    this.#body = NOTHING;
    return body;
  }

  /** Forgets what was here, and goes on in the same memory. */
  begin(body: Buffer): void {
    this.#body = body;
    this.#count = 0;
  }

  add(item: T | undefined, start: number, end: number): void {
    const at = this.#count * 2;
    if (at === this.#bounds.length) {
      const more = new Uint32Array(at * 2);
      more.set(this.#bounds);
      this.#bounds = more;
    }
    this.#bounds[at] = start;
    this.#bounds[at + 1] = end;
    this.#made[this.#count++] = item;
  }

  /** To be called after the last item. */
  finish(): void {
    if (this.#made.length > this.#count) this.#made.length = this.#count;
  }

  /** Adds `count` items of another array that stand here with the same bytes. @returns the byte after them. */
  addRun(other: SeenItems<T>, from: number, count: number, start: number): number {
    const moved = start - other.start(from);
    for (let at = from; at < from + count; at++)
      this.add(other.made[at], other.start(at) + moved, other.end(at) + moved);
    return other.end(from + count - 1) + moved;
  }

  start(at: number): number {
    return this.#bounds[at * 2]!;
  }

  end(at: number): number {
    return this.#bounds[at * 2 + 1]!;
  }

  /** The text of one item. */
  text(at: number): string {
    return this.#body.toString('utf8', this.start(at), this.end(at));
  }

  /** How many items from `from` on stand at `start` of another body with the very same bytes. */
  sameAt(from: number, body: Buffer, start: number): number {
    for (let run = Math.min(LONGEST_RUN, this.#made.length - from); run > 0; run = shorter(run)) {
      const last = from + run - 1;
      const end = start + this.end(last) - this.start(from);
      // The last one must be an object: a number could go on behind it.
      if (this.#made[last] === undefined || end > body.length) continue;
      if (body.compare(this.#body, this.start(from), this.end(last), start, end) === 0) return run;
    }
    return 0;
  }

  /**
   * Where the item with this key stands, or would stand: registries sort by key. In an array that is not sorted the answer
   * may be any place, which costs its reader time and nothing else.
   * @param likely looked at first.
   */
  place(key: string, likely: number): number {
    if (this.#made[likely]?.key === key) return likely;
    let low = 0;
    let high = this.#made.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#made[middle]?.key ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function shorter(run: number): number {
  return run === 1 ? 0 : Math.max(1, run >> 4);
}
