/** The signals nginx's master process takes. */
export const MASTER_SIGNALS = [
  'SIGTERM',
  'SIGINT',
  'SIGQUIT',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGWINCH',
] as const;

export type MasterSignal = (typeof MASTER_SIGNALS)[number];

/**
 * Hands every signal that nginx's master takes to `handle`, instead of what Node would do (end, or open a debugger). Also
 * needed as process 1 of a container, for which the kernel has no default actions. Returns the way back.
 */
export function onMasterSignals(handle: (signal: MasterSignal) => void): () => void {
  const handlers = MASTER_SIGNALS.map((signal) => [signal, () => handle(signal)] as const);
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}
