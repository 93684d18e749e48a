import { setTimeout as delay } from 'node:timers/promises';
import { signalPid } from './nginx-master.ts';
import { isRunning, type ProcessId } from './state-file.ts';

const BOUND_MS = 1500;
const LOOK_EVERY_MS = 10;

/** Ends a process that is not our child, and resolves when it is gone: by TERM, or by KILL when that is not enough. */
export async function endProcess(id: ProcessId | undefined): Promise<void> {
  if (!isRunning(id)) return;
  signalPid(id.pid, 'SIGTERM');
  const end = performance.now() + BOUND_MS;
  while (isRunning(id)) {
    if (performance.now() > end) signalPid(id.pid, 'SIGKILL');
    await delay(LOOK_EVERY_MS);
  }
}
