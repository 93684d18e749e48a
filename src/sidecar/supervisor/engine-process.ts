import { type ChildProcess, spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import type { Logger } from '../../upstream/logger.ts';
import type { EngineConfig } from '../engine-config.ts';

export interface EngineProcessOptions {
  /** The engine's program, a JavaScript file. */
  readonly program: string;
  /** Where its configuration is written. */
  readonly configFile: string;
  readonly logger: Logger;
  /** Where its standard error goes, asked at each start: a file descriptor, or ours. */
  readonly stderr: () => number | 'inherit';
  /** First wait before a dead engine is started again; doubles up to `maxDelayMs`. Milliseconds. @default 200 */
  readonly minDelayMs?: number;
  /** @default 10000 */
  readonly maxDelayMs?: number;
  /** Called after each start. */
  readonly onStart?: () => void;
}

// An engine that lived this long was healthy: the next wait starts from the least again.
const HEALTHY_AFTER_MS = 30_000;
// The engine has nothing to finish that would take longer: dumps are written at once.
const STOP_BOUND_MS = 2000;
// Large replies make much garbage that dies at once. With Node's own 16 MB for young objects it is collected so seldom that
// the process keeps tens of megabytes for it; the unit is megabytes.
const MEMORY = ['--max-semi-space-size=2'];

/**
 * Keeps the engine, the process that watches registries and feeds nginx, running: started again with back-off when it
 * dies. nginx needs none of it to serve the lists it has.
 */
export class EngineProcess {
  readonly #options: EngineProcessOptions;
  #child: ChildProcess | undefined;
  #retry: NodeJS.Timeout | undefined;
  #delayMs: number;
  #stopping = false;
  #restarting = false;

  constructor(options: EngineProcessOptions) {
    this.#options = options;
    this.#delayMs = options.minDelayMs ?? 200;
  }

  /** Gives the engine its configuration, and starts it if it does not run. */
  configure(config: EngineConfig): void {
    const { configFile } = this.#options;
    const temporary = `${configFile}.new`;
    // The same as writeEngineConfig, without loading its validator on the way to a listening nginx. It holds tokens: 0600.
    writeFileSync(temporary, JSON.stringify(config), { mode: 0o600 });
    renameSync(temporary, configFile);
    if (this.#child) this.#child.kill('SIGHUP');
    else if (!this.#retry && !this.#stopping) this.#start();
  }

  /** The engine that runs now. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Another engine in place of this one, at once: its standard error is then a freshly opened log. */
  restart(): void {
    this.#restarting = true;
    this.#child?.kill('SIGTERM');
  }

  /** Ends the engine and starts it no more; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#retry);
    const child = this.#child;
    if (!child) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_BOUND_MS);
    await gone;
    clearTimeout(timer);
  }

  #start(): void {
    const { program, configFile, stderr, logger, onStart } = this.#options;
    const began = performance.now();
    // A session of its own: Ctrl-C in the terminal must not end the engine before nginx has finished.
    const child = spawn(process.execPath, [...MEMORY, program, configFile], {
      stdio: ['ignore', 'ignore', stderr()],
      detached: true,
    });
    this.#child = child;
    let over = false;
    const end = (why: { code?: number; signal?: string; error?: string }): void => {
      if (over) return;
      over = true;
      this.#child = undefined;
      if (this.#stopping) return;
      if (this.#restarting) {
        this.#restarting = false;
        this.#start();
        return;
      }
      if (performance.now() - began > HEALTHY_AFTER_MS) this.#delayMs = this.#options.minDelayMs ?? 200;
      const delayMs = this.#delayMs;
      this.#delayMs = Math.min(delayMs * 2, this.#options.maxDelayMs ?? 10_000);
      // It ends by itself, with 0, when a new configuration needs another engine.
      if (why.code === 0) logger.info({ engine: child.pid, restartInMs: delayMs }, 'engine_ended');
      else logger.error({ engine: child.pid, ...why, restartInMs: delayMs }, 'engine_died');
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#start();
      }, delayMs);
    };
    child.once('error', (error) => end({ error: error.message }));
    child.once('exit', (code, signal) =>
      end({ ...(code !== null && { code }), ...(signal !== null && { signal }) }),
    );
    if (child.pid === undefined) return;
    logger.debug({ engine: child.pid }, 'engine_started');
    onStart?.();
  }
}
