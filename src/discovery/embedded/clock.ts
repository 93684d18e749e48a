/** Time as the registry sees it, so that tests can move it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `action` once after `delayMs` milliseconds; the function it gives back cancels that. */
  after(delayMs: number, action: () => void): () => void;
}

/** Largest delay a Node timer takes; a longer one would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** The machine's clock. Its timers never keep the process alive by themselves. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, Math.min(Math.max(delayMs, 0), MAX_TIMER_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
