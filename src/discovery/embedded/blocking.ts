import type { Clock } from './clock.ts';
import type { Indexes } from './store/indexes.ts';

/** Wait when a client names none. */
const DEFAULT_WAIT_MS = 300_000;
/** Longest wait a client can ask for. */
const MAX_WAIT_MS = 600_000;
/** A wait is stretched at random by up to this part of it, so that many clients do not come back together. */
const JITTER_PART = 16;

/** What a query gives: the answer's index, and whether the thing asked for is missing. */
export interface Indexed {
  readonly index: number;
  /** Keep waiting while it stays missing, although other writes raise the index. */
  readonly isMissing?: boolean;
}

export interface BlockingOptions {
  /** Answer once the index is above this; 0 answers at once. */
  readonly minIndex: number;
  /** Milliseconds; 0 or less means five minutes, more than ten minutes means ten. */
  readonly waitMs: number;
  /** Topics whose writes may change the answer. */
  readonly topics: readonly string[];
  /** Aborts when the client is gone: the waiter is freed and nothing is answered. */
  readonly signal: AbortSignal;
  readonly indexes: Indexes;
  readonly clock: Clock;
  readonly random: () => number;
}

/**
 * Runs a query as Consul's blocking queries: at once if its index is above `minIndex`, else when a write makes it so, or
 * with the unchanged answer when the wait is over. Gives undefined when the client left.
 * Source: Consul, "Blocking queries".
 */
export async function blockingQuery<T extends Indexed>(
  query: () => T,
  options: BlockingOptions,
): Promise<T | undefined> {
  let answer = query();
  if (options.minIndex <= 0 || answer.index > options.minIndex) return answer;
  const { clock, indexes, signal, topics } = options;
  return new Promise((resolve) => {
    let minIndex = options.minIndex;
    const finish = (value: T | undefined) => {
      unwatch();
      cancelTimer();
      signal.removeEventListener('abort', leave);
      resolve(value);
    };
    const leave = () => finish(undefined);
    const unwatch = indexes.watch(topics, () => {
      const wasMissing = answer.isMissing === true;
      answer = query();
      if (wasMissing && answer.isMissing === true) minIndex = Math.max(minIndex, answer.index);
      if (answer.index > minIndex) finish(answer);
    });
    const cancelTimer = clock.after(stretched(options.waitMs, options.random), () => finish(query()));
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave);
  });
}

function stretched(waitMs: number, random: () => number): number {
  const wait = waitMs <= 0 ? DEFAULT_WAIT_MS : Math.min(waitMs, MAX_WAIT_MS);
  return wait + (random() * wait) / JITTER_PART;
}
