/** The shape of a {@link TokenBucket}. */
export interface TokenBucketOptions {
  /** Time in which one token comes back, in milliseconds. 0 means no limit. */
  readonly intervalMs: number;
  /** Tokens of a full bucket, at least 1. */
  readonly burst: number;
  /** Milliseconds of a clock that never goes back. @default performance.now */
  readonly now?: () => number;
}

/**
 * Limits how often something happens on average without delaying the first times: a full bucket lets `burst` of them
 * pass at once, after that one in `intervalMs`. Asking (`waitMs`) and paying (`spend`) are apart, so that a caller can decide
 * afterwards whether something was worth a token.
 */
export class TokenBucket {
  readonly #intervalMs: number;
  readonly #burst: number;
  readonly #now: () => number;
  #tokens: number;
  #at: number;

  constructor({ intervalMs, burst, now = () => performance.now() }: TokenBucketOptions) {
    this.#intervalMs = intervalMs;
    this.#burst = Math.max(1, burst);
    this.#now = now;
    this.#tokens = this.#burst;
    this.#at = now();
  }

  /** Milliseconds until a token is there; 0 when one is there now. */
  waitMs(): number {
    if (this.#intervalMs <= 0) return 0;
    this.#refill();
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) * this.#intervalMs);
  }

  /** Takes one token, also when none is left: the next wait is then longer. */
  spend(): void {
    if (this.#intervalMs <= 0) return;
    this.#refill();
    this.#tokens -= 1;
  }

  #refill(): void {
    const now = this.#now();
    const gained = Math.max(0, now - this.#at) / this.#intervalMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#at = now;
  }
}
