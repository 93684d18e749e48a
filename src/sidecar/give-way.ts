import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** Weight of a third of nginx's where both want the same core; all of the core where nginx leaves it free. */
const NICENESS = 5;

/**
 * Lets nginx and its backends go first where they need the core this process is on: a list that comes a millisecond later
 * is no loss, a request is. Where the kernel shares out by session (sched_autogroup), niceness counts within a session
 * only, so this process' own session, which it must lead, is told as well. Never fails: it is a courtesy.
 */
export function giveWay(): void {
  try {
    setPriority(NICENESS);
    writeFileSync('/proc/self/autogroup', String(NICENESS));
  } catch {
    // No such file without autogroups, and systems that forbid it: equal shares then.
  }
}
