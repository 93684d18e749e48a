/** How long to wait after each failure in a row. */
export interface BackoffOptions {
  /** Upper bound of the first wait, in milliseconds. @default 200 */
  readonly baseMs?: number;
  /** Upper bound of every wait, in milliseconds. @default 30000 */
  readonly capMs?: number;
  /** A number from 0 up to 1. @default Math.random */
  readonly random?: () => number;
}

/**
 * Waits that spread out: each is drawn evenly from 0 up to a bound that doubles with every failure in a row ("full
 * jitter"), so that clients cut off in the same moment do not come back in the same moment.
 */
export class Backoff {
  readonly #baseMs: number;
  readonly #capMs: number;
  readonly #random: () => number;
  #failures = 0;

  constructor({ baseMs = 200, capMs = 30_000, random = Math.random }: BackoffOptions = {}) {
    this.#baseMs = baseMs;
    this.#capMs = capMs;
    this.#random = random;
  }

  /** Failures since the last contact. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure and says how many milliseconds to wait before the next try. */
  next(): number {
    const bound = Math.min(this.#capMs, this.#baseMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return Math.floor(this.#random() * bound);
  }

  /** To be called on contact: the next failure is the first one again. */
  reset(): void {
    this.#failures = 0;
  }
}
