import { setTimeout as delay } from 'node:timers/promises';
import { type NginxMaster, adoptMaster } from './nginx-master.ts';
import { isAlive, readPidFile } from './pid-file.ts';

// nginx renames its pid file before it starts the new program, which then reads the configuration and writes its own.
const BOUND_MS = 10_000;
const LOOK_EVERY_MS = 20;

/**
 * Waits for the outcome of USR2: the master of the new nginx program, or undefined when none came up within ten seconds
 * (nginx then stays as it was, and says why in its error log).
 */
export async function waitForNewMaster(
  old: NginxMaster,
  pidFile: string,
  signal: AbortSignal,
): Promise<NginxMaster | undefined> {
  const end = performance.now() + BOUND_MS;
  while (performance.now() < end && !signal.aborted && isAlive(old.pid)) {
    const pid = readPidFile(pidFile);
    if (pid !== undefined && pid !== old.pid && readPidFile(`${pidFile}.oldbin`) === old.pid && isAlive(pid))
      return adoptMaster(pid);
    await delay(LOOK_EVERY_MS);
  }
  return undefined;
}
