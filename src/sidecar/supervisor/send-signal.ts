import { readFileSync } from 'node:fs';
import type { NginxSignal } from './arguments.ts';
import { signalPid } from './nginx-master.ts';

const SIGNALS: Readonly<Record<NginxSignal, NodeJS.Signals>> = {
  stop: 'SIGTERM',
  quit: 'SIGQUIT',
  reopen: 'SIGUSR1',
  reload: 'SIGHUP',
};
const NUMBERS: Readonly<Record<NginxSignal, number>> = { stop: 15, quit: 3, reopen: 10, reload: 1 };

/** `-s SIGNAL`: signals the process named by the pid file. Returns nginx's exit code and complains in nginx's words. */
export function sendSignal(name: NginxSignal, pidPath: string, complain: (line: string) => void): number {
  let text: string;
  try {
    text = readFileSync(pidPath, 'utf8').trim();
  } catch (error) {
    complain(`nginx: [error] open() "${pidPath}" failed (${systemError(error)})`);
    return 1;
  }
  const pid = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (pid < 1) {
    // nginx takes a 0 and signals its own process group; we do not.
    complain(`nginx: [error] invalid PID number "${text.slice(0, 40)}" in "${pidPath}"`);
    return 1;
  }
  try {
    if (signalPid(pid, SIGNALS[name])) return 0;
    complain(`nginx: [alert] kill(${pid}, ${NUMBERS[name]}) failed (3: No such process)`);
  } catch (error) {
    complain(`nginx: [alert] kill(${pid}, ${NUMBERS[name]}) failed (${systemError(error)})`);
  }
  return 1;
}

/** A failed system call as nginx prints it: `2: No such file or directory`. */
export function systemError(error: unknown): string {
  const { errno, code, message } = error as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'No such file or directory',
    EACCES: 'Permission denied',
    EPERM: 'Operation not permitted',
    EISDIR: 'Is a directory',
    ENOTDIR: 'Not a directory',
    ESRCH: 'No such process',
    EROFS: 'Read-only file system',
    ENOSPC: 'No space left on device',
  };
  const words = (code !== undefined ? known[code] : undefined) ?? message;
  return errno === undefined ? words : `${Math.abs(errno)}: ${words}`;
}
