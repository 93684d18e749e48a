import {
  createEmbeddedRegistry,
  type EmbeddedRegistry,
  type EmbeddedRegistryOptions,
} from '../../src/discovery/embedded/registry.ts';
import type { Clock } from '../../src/discovery/embedded/clock.ts';

/** Starts the embedded registry on a free port of loopback. Close it when done. */
export async function startEmbeddedRegistry(
  options: EmbeddedRegistryOptions = {},
): Promise<EmbeddedRegistry> {
  return createEmbeddedRegistry({ listen: '127.0.0.1:0', ...options });
}

/** A clock that stands still until it is told to move on. */
export interface ManualClock extends Clock {
  /** Moves on by that many milliseconds; timers due on the way fire in order. */
  advance(ms: number): void;
  /** Timers still to fire. */
  readonly pending: number;
}

export function createManualClock(start = 1_000_000): ManualClock {
  let now = start;
  let timers: { at: number; action: () => void }[] = [];
  return {
    now: () => now,
    get pending() {
      return timers.length;
    },
    after(delayMs, action) {
      const timer = { at: now + Math.max(delayMs, 0), action };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const due = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        timers = timers.filter((timer) => timer !== due);
        now = due.at;
        due.action();
      }
      now = end;
    },
  };
}
