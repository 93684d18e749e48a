import { setTimeout as delay } from 'node:timers/promises';
import { type NginxMaster, childrenOf } from './nginx-master.ts';
import { isAlive } from './pid-file.ts';

// nginx tries for 2.5 s to open a socket that is in use before it gives a new configuration up.
const BOUND_MS = 6000;
const LOOK_EVERY_MS = 10;

/**
 * Makes nginx read its configuration again, and sees whether it did: a master that took it has new workers. False when
 * there are none after six seconds: nginx then runs on as before and says why in its error log.
 */
export async function hupAndVerify(master: NginxMaster): Promise<boolean> {
  const before = new Set(childrenOf(master.pid));
  master.kill('SIGHUP');
  // A kernel that does not tell a process's children cannot be asked.
  if (before.size === 0) return true;
  const end = performance.now() + BOUND_MS;
  while (performance.now() < end && isAlive(master.pid)) {
    if (childrenOf(master.pid).some((pid) => !before.has(pid))) return true;
    await delay(LOOK_EVERY_MS);
  }
  return false;
}
