/** Of a body that comes in pieces so much is kept for the next server. nginx keeps 16 KB in memory and the rest on disk. */
const KEPT_BYTES = 64 * 1024;

/** True for a body that can be sent once more from its beginning. Streams are gone once they were read. */
export function isRepeatable(body: unknown): boolean {
  if (body === null || body === undefined || typeof body === 'string') return true;
  if (body instanceof KeptBody) return body.isWhole;
  return (
    ArrayBuffer.isView(body) ||
    body instanceof ArrayBuffer ||
    body instanceof Blob ||
    Array.isArray(body) ||
    isFormData(body)
  );
}

/** True when it was the body's source that failed, and not the server. */
export function isBodyError(body: unknown, error: Error): boolean {
  if (body instanceof KeptBody) return body.error === error;
  return typeof body === 'object' && body !== null && (body as { errored?: unknown }).errored === error;
}

/** What `fetch` makes of every body, and other asynchronous iterables that are no streams of Node. */
export function isAsyncPieces(body: unknown): body is AsyncIterable<unknown> {
  if (typeof body !== 'object' || body === null || !(Symbol.asyncIterator in body)) return false;
  return !('pipe' in body) && !(body instanceof Blob) && !isFormData(body);
}

/** A body in pieces of which the first ones are kept, so that each attempt of a request can send it from its beginning. */
export class KeptBody implements AsyncIterable<unknown> {
  /** What the source failed with. */
  error: unknown;
  readonly #source: AsyncIterator<unknown>;
  readonly #pieces: unknown[] = [];
  #bytes = 0;
  /** How many pieces were let go. */
  #gone = 0;
  #ended = false;
  #fetching: Promise<void> | undefined;
  #readers = 0;
  #isLast = false;

  constructor(source: AsyncIterable<unknown>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** False once more was read than is kept. */
  get isWhole(): boolean {
    return this.#bytes <= KEPT_BYTES;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
    this.#readers += 1;
    try {
      yield* this.#read();
    } finally {
      this.#readers -= 1;
      this.#release();
    }
  }

  /** No attempt will follow. The one under way may read on. */
  last(): void {
    this.#isLast = true;
    this.#release();
  }

  async *#read(): AsyncGenerator<unknown> {
    let next = 0;
    for (;;) {
      // Only an attempt that failed long ago.
      if (next < this.#gone) return;
      if (next < this.#gone + this.#pieces.length) {
        const piece = this.#pieces[next - this.#gone];
        next += 1;
        if (!this.isWhole) this.#letGo(next);
        yield piece;
      } else if (this.#ended) {
        return;
      } else {
        // An attempt that failed may still be waiting here, too: they share what comes.
        await (this.#fetching ??= this.#fetch());
      }
    }
  }

  #release(): void {
    if (!this.#isLast || this.#readers > 0 || this.#ended) return;
    this.#ended = true;
    this.#source.return?.().catch(() => undefined);
  }

  async #fetch(): Promise<void> {
    try {
      const { done, value } = (await this.#source.next()) as IteratorResult<unknown, unknown>;
      if (done === true) {
        this.#ended = true;
      } else {
        this.#bytes += value instanceof Uint8Array ? value.byteLength : String(value).length;
        // Whoever made the piece may fill it anew.
        this.#pieces.push(value instanceof Uint8Array && this.isWhole ? Buffer.from(value) : value);
      }
    } catch (error) {
      this.error = error;
      this.#ended = true;
      throw error;
    } finally {
      this.#fetching = undefined;
    }
  }

  #letGo(count: number): void {
    this.#pieces.splice(0, count - this.#gone);
    this.#gone = count;
  }
}

function isFormData(body: object): boolean {
  // Also that of another undici than ours.
  return (body as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === 'FormData';
}
