import { onAbort } from './on-abort.ts';

/** An abort signal that follows another one and also fires after a while. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** True when it was the time that ran out, not the other signal. */
  expired(): boolean;
  /** Lets go of the timer and of the other signal. Must be called. */
  clear(): void;
}

/**
 * Bounds one operation in time. Built by hand because `AbortSignal.any` keeps every composed signal alive as long as the
 * parent on Node 20, and one parent sees thousands of polls.
 */
export function startDeadline(ms: number, parent: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  let expired = false;
  const follow = (): void => {
    controller.abort(parent?.reason);
  };
  const timer = setTimeout(() => {
    expired = true;
    controller.abort(new DOMException('The deadline passed.', 'TimeoutError'));
  }, ms);
  if (parent?.aborted) follow();
  const release = parent && onAbort(parent, follow);
  return {
    signal: controller.signal,
    expired: () => expired,
    clear: () => {
      clearTimeout(timer);
      release?.();
    },
  };
}
