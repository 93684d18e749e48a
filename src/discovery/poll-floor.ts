import { TokenBucket } from '../upstream/token-bucket.ts';
import { sleep } from './sleep.ts';

/** Polls in a row that may bring nothing before they are slowed down. */
const IDLE_BURST = 20;
/** Least time between two polls that do bring a change, and how many may come closer together. Milliseconds. */
const CHANGE_FLOOR_MS = 10;
const CHANGE_BURST = 50;
/** A poll is followed by a pause of at least this many times what it cost to decode, so that decoding never fills a core. */
const DECODE_SHARE = 3;

/**
 * Keeps one poll loop from flooding a registry. Polls that bring nothing new (the index moved for somebody else's change,
 * or the registry answers at once with what we had) pay a token that comes back after `intervalMs`, so on average they come no
 * faster than that. Polls that bring a change are nearly free: a change must be seen at once, however many there are.
 */
export class PollFloor {
  readonly #idle: TokenBucket;
  readonly #change: TokenBucket;
  readonly #now: () => number;
  #restUntil = 0;

  constructor(intervalMs: number, now: () => number = () => performance.now()) {
    this.#now = now;
    this.#idle = new TokenBucket({ intervalMs, burst: IDLE_BURST, now });
    this.#change = new TokenBucket({ intervalMs: CHANGE_FLOOR_MS, burst: CHANGE_BURST, now });
  }

  /** Resolves when the next poll may start, at once in the normal case; early when the signal aborts. */
  async ready(signal: AbortSignal): Promise<void> {
    const wait = Math.max(this.#idle.waitMs(), this.#change.waitMs(), this.#restUntil - this.#now());
    if (wait > 0) await sleep(wait, signal);
  }

  /** To be called for each answer: whether it brought a change, and how long decoding took. */
  answered(changed: boolean, decodeMs: number): void {
    (changed ? this.#change : this.#idle).spend();
    if (decodeMs > 1) this.#restUntil = this.#now() + decodeMs * DECODE_SHARE;
  }
}
