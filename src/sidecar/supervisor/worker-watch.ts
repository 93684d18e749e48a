import type { Logger } from '../../upstream/logger.ts';
import { childrenOf, signalPid } from './nginx-master.ts';
import { type ProcessId, identify, isRunning } from './state-file.ts';

const LOOK_EVERY_MS = 1000;

/**
 * Remembers nginx's workers. When the master is killed they serve on, but nothing can tell them to reload or to stop any
 * more, and they keep the ports from the nginx that a process manager starts next.
 */
export class WorkerWatch {
  readonly #masterPid: () => number | undefined;
  #workers: readonly ProcessId[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(masterPid: () => number | undefined) {
    this.#masterPid = masterPid;
  }

  start(): void {
    const look = (): void => {
      const master = this.#masterPid();
      const pids = master === undefined ? [] : childrenOf(master);
      // An empty answer may mean that the master has just gone: what was known before still counts.
      if (pids.length > 0) this.#workers = pids.map(identify);
    };
    look();
    this.#timer = setInterval(look, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Ends workers whose master is gone. */
  endOrphans(logger: Logger): void {
    const left = this.#workers.filter(isRunning);
    for (const { pid } of left) signalPid(pid, 'SIGTERM');
    if (left.length > 0) logger.warn({ pids: left.map(({ pid }) => pid) }, 'workers_without_master_ended');
  }
}
