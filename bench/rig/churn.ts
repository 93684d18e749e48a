import type { Front } from './front.ts';

/** Changes that are going on. */
export interface Churn {
  /** Ends it; resolves with how many changes were made. */
  stop(): Promise<number>;
  /** After the end: puts all servers back in the list. */
  restore(): Promise<void>;
}

/**
 * Removes and adds back the last server in turn, one change every `periodMs`, at an even pace, the first after half a period. A
 * change that takes longer than the period makes the next one wait: what cannot keep up makes fewer changes, which is counted.
 */
export function startChurn(
  front: Pick<Front, 'change'>,
  servers: readonly string[],
  periodMs: number,
): Churn {
  const fewer = servers.slice(0, -1);
  let ending = false;
  let count = 0;
  const loop = async (): Promise<void> => {
    const begun = performance.now();
    while (!ending) {
      const due = begun + (count + 0.5) * periodMs;
      await new Promise((resolve) =>
        setTimeout(resolve, Math.max(0, Math.min(due - performance.now(), 200))),
      );
      if (ending || performance.now() < due) continue;
      await front.change(count % 2 === 0 ? fewer : servers);
      count += 1;
    }
  };
  const running = loop();
  return {
    stop: async () => {
      ending = true;
      await running;
      return count;
    },
    restore: async () => {
      if (count % 2 === 1) await front.change(servers);
    },
  };
}
