import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../upstream/logger.ts';
import { childrenOf, signalPid } from './nginx-master.ts';
import { type ProcessId, identify, isRunning } from './state-file.ts';

const LOOK_EVERY_MS = 250;
// nginx forks its workers right after it wrote its pid file; with `master_process off` there are none to wait for.
const FIRST_LOOK_EVERY_MS = 4;
const FIRST_WITHIN_MS = 200;

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

  /** Resolves when the first workers are known: from then on none is forgotten, however early the master is killed. */
  async start(): Promise<void> {
    const end = performance.now() + FIRST_WITHIN_MS;
    let before = 0;
    // They are forked one by one.
    while (this.look() === 0 || this.#workers.length !== before) {
      if (performance.now() > end) break;
      before = this.#workers.length;
      await delay(FIRST_LOOK_EVERY_MS);
    }
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** Learns which workers there are now, and how many. */
  look(): number {
    const master = this.#masterPid();
    const pids = master === undefined ? [] : childrenOf(master);
    // An empty answer may mean that the master has just gone: what was known before still counts.
    if (pids.length > 0) this.#workers = pids.map(identify);
    return pids.length;
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
