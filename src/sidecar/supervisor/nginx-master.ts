import { spawn, type StdioOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { UpsyncError } from '../../upstream/errors.ts';
import { isAlive, readPidFile, startTime } from './pid-file.ts';

/** How a process ended: by itself with a code, or by a signal. Unknown for one that is not our child. */
export interface ProcessEnd {
  readonly code?: number;
  readonly signal?: NodeJS.Signals;
}

/** The real nginx master process. */
export interface NginxMaster {
  readonly pid: number;
  /** Resolves once the process is gone; never rejects. */
  readonly ended: Promise<ProcessEnd>;
  /** Sends a signal; nothing happens when the process is gone. */
  kill(signal: NodeJS.Signals): void;
}

// How often an nginx that is not our child is looked after, and how often while it starts or ends.
const LOOK_EVERY_MS = 200;
const LOOK_CLOSELY_MS = 5;

/** Runs nginx in the foreground as our child. */
export async function startMaster(
  file: string,
  args: readonly string[],
  stdio: StdioOptions,
): Promise<NginxMaster> {
  const { pid, ended } = await run(file, args, stdio);
  return { pid, ended, kill: (signal) => void signalPid(pid, signal) };
}

/**
 * Runs nginx so that it becomes a daemon, which is not our child: only a daemon does a binary upgrade (USR2) and stops
 * accepting (WINCH). Returns how the starting process ended when it did not get that far.
 */
export async function startDaemonMaster(
  file: string,
  args: readonly string[],
  stdio: StdioOptions,
  pidFile: string,
  signal: AbortSignal,
): Promise<NginxMaster | ProcessEnd> {
  const starter = await run(file, args, stdio);
  const end = await starter.ended;
  if (end.code !== 0) return end;
  for (;;) {
    const pid = readPidFile(pidFile);
    if (pid !== undefined && isAlive(pid)) return adoptMaster(pid);
    signal.throwIfAborted();
    await delay(LOOK_CLOSELY_MS);
  }
}

/** Takes charge of an nginx that already runs and is not our child: a daemon, a new binary, or one whose supervisor died. */
export function adoptMaster(pid: number): NginxMaster {
  const started = startTime(pid);
  const alive = (): boolean => isAlive(pid) && startTime(pid) === started;
  let lookEveryMs = LOOK_EVERY_MS;
  const ended = (async (): Promise<ProcessEnd> => {
    while (alive()) await delay(lookEveryMs);
    return {};
  })();
  const kill = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGTERM' || signal === 'SIGQUIT' || signal === 'SIGINT') lookEveryMs = LOOK_CLOSELY_MS;
    if (alive()) signalPid(pid, signal);
  };
  return { pid, ended, kill };
}

/**
 * Waits until nginx has written its pid file, which it does once its sockets are open. Returns false when it ended first.
 * @throws the signal's reason when `signal` aborts.
 */
export async function waitForListening(
  master: NginxMaster,
  pidFile: string,
  signal: AbortSignal,
): Promise<boolean> {
  let ended = false;
  void master.ended.then(() => (ended = true));
  while (!ended) {
    if (readPidFile(pidFile) === master.pid) return true;
    signal.throwIfAborted();
    await delay(LOOK_CLOSELY_MS);
  }
  return false;
}

/** The pids of the direct children of a process; empty when the kernel does not tell. */
export function childrenOf(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return []; // The process is gone, or this kernel was built without the list.
  }
}

/** Sends a signal; false when the process is gone. */
export function signalPid(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

function run(
  file: string,
  args: readonly string[],
  stdio: StdioOptions,
): Promise<{ readonly pid: number; readonly ended: Promise<ProcessEnd> }> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio });
    const ended = new Promise<ProcessEnd>((done) => {
      child.once('exit', (code, signal) => done({ code: code ?? undefined, signal: signal ?? undefined }));
    });
    child.once('error', (error) =>
      reject(new UpsyncError('NGINX_START', `cannot run ${file}: ${error.message}`, { cause: error })),
    );
    child.once('spawn', () => resolve({ pid: child.pid!, ended }));
  });
}
