import { onAbort } from './on-abort.ts';

/** Waits `ms` milliseconds, or less when the signal aborts first; never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      release?.();
      resolve();
    };
    const timer = setTimeout(done, ms);
    const release = signal && onAbort(signal, done);
  });
}
