import type { Subscription } from './resolution.ts';

/**
 * Makes an iterable of a subscription. A reader that is slower than the changes gets the newest value and misses those
 * between; nothing piles up. It ends when the signal aborts or the reader leaves.
 */
export async function* latestChanges<T>(
  subscribe: (listener: (value: T) => void) => Subscription,
  signal: AbortSignal,
): AsyncGenerator<T> {
  let next: { readonly value: T } | undefined;
  let wake: () => void = () => undefined;
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  const subscription = subscribe((value) => {
    next = { value };
    wake();
  });
  try {
    while (!signal.aborted) {
      if (next === undefined) await new Promise<void>((resolve) => (wake = resolve));
      const told = next;
      next = undefined;
      if (told !== undefined && !signal.aborted) yield told.value;
    }
  } finally {
    subscription.unsubscribe();
    signal.removeEventListener('abort', onAbort);
  }
}
