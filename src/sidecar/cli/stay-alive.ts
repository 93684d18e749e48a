import { untilAborted } from './until-aborted.ts';

const LONG_MS = 60_000;

/** As `untilAborted`, for commands of which nothing else keeps the process: a signal alone does not. */
export async function stayAlive(signal: AbortSignal): Promise<void> {
  const timer = setInterval(() => undefined, LONG_MS);
  await untilAborted(signal);
  clearInterval(timer);
}
