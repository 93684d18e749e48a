import { setMaxListeners } from 'node:events';

/**
 * Calls `listener` once when the signal aborts, and gives a function that takes that back. One signal may end thousands of
 * upstreams, so Node's warning about more than ten listeners is switched off for it.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  setMaxListeners(0, signal);
  signal.addEventListener('abort', listener, { once: true });
  return () => {
    signal.removeEventListener('abort', listener);
  };
}
