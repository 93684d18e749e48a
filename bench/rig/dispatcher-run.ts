import { once } from 'node:events';
import path from 'node:path';
import { start } from './child.ts';
import type { DispatcherResult, DispatcherRun } from './dispatcher-main.ts';

const START_BOUND_MS = 30_000;

/** Runs one dispatcher in a process of its own; `halfway` is called when half of the time is over. */
export async function runDispatcher(
  run: DispatcherRun,
  halfway: () => Promise<void> = () => Promise.resolve(),
): Promise<DispatcherResult> {
  const main = path.join(import.meta.dirname, 'dispatcher-main.js');
  const child = start(process.execPath, [main, JSON.stringify(run)], ['ignore', 'pipe', 'inherit']);
  let text = '';
  let event: Promise<void> | undefined;
  child.process.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.includes('halfway\n')) event ??= halfway();
  });
  const bound = setTimeout(() => child.process.kill('SIGKILL'), run.seconds * 1000 + START_BOUND_MS);
  await once(child.process, 'close');
  clearTimeout(bound);
  await event;
  if (child.process.exitCode !== 0) throw new Error(`the ${run.kind} process ended without a result`);
  return JSON.parse(text.replace('halfway\n', '')) as DispatcherResult;
}
