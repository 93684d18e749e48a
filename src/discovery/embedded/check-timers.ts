import { isRunnable, runCheck } from './check-runner.ts';
import type { CheckSpec } from './check-spec.ts';
import type { Clock } from './clock.ts';
import type { CheckRecord } from './store/records.ts';

/** How often critical services are looked through, and the shortest grace one gets, as in Consul. Milliseconds. */
const REAP_EVERY_MS = 30_000;
const MIN_GRACE_MS = 60_000;
/** How long a new output with an old status may stay out of the catalog, as in Consul. Milliseconds. */
const OUTPUT_LAG_MS = 300_000;

interface Running {
  readonly spec: CheckSpec;
  readonly serviceId: string;
  readonly stop: () => void;
  /** Starts the TTL anew; absent for other kinds. */
  readonly renew?: () => void;
  lastOutput: string;
  pendingOutput?: string | undefined;
  cancelPending?: (() => void) | undefined;
  criticalSince?: number | undefined;
}

export interface CheckTimersOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** The check as the catalog has it. */
  current(id: string): CheckRecord | undefined;
  /** Writes a status and output to the catalog. */
  update(id: string, status: string, output: string): void;
  /** Removes a service whose check stayed critical for longer than it allows. */
  deregister(serviceId: string): void;
}

/** Time in the life of the agent's checks: TTLs that run out, probes that repeat, critical services that are removed. */
export class CheckTimers {
  readonly #options: CheckTimersOptions;
  readonly #running = new Map<string, Running>();
  #cancelReap: (() => void) | undefined;

  constructor(options: CheckTimersOptions) {
    this.#options = options;
  }

  /** Starts a check's clock; one with the same id is stopped first. */
  start(id: string, spec: CheckSpec, serviceId: string): void {
    this.stop(id);
    const { clock, random } = this.#options;
    const now = this.#options.current(id)?.Status === 'critical' ? clock.now() : undefined;
    if (spec.ttlMs > 0) this.#startTtl(id, spec, serviceId, now);
    else {
      const stop = isRunnable(spec)
        ? runCheck(spec, clock, random, ({ status, output }) => this.#show(id, status, output))
        : () => undefined;
      this.#running.set(id, { spec, serviceId, stop, lastOutput: '', criticalSince: now });
    }
    if (spec.deregisterAfterMs > 0 && serviceId !== '') this.#scheduleReap();
  }

  stop(id: string): void {
    const running = this.#running.get(id);
    running?.stop();
    running?.cancelPending?.();
    this.#running.delete(id);
  }

  /** A TTL check's client reported; false when the check has no TTL. */
  beat(id: string, status: string, output: string): boolean {
    const running = this.#running.get(id);
    if (!running?.renew) return false;
    running.renew();
    running.lastOutput = output;
    this.#show(id, status, output);
    return true;
  }

  /** An output that the catalog does not have yet. */
  newestOutput(id: string): string | undefined {
    return this.#running.get(id)?.pendingOutput;
  }

  close(): void {
    for (const id of [...this.#running.keys()]) this.stop(id);
    this.#cancelReap?.();
  }

  #startTtl(id: string, spec: CheckSpec, serviceId: string, criticalSince: number | undefined): void {
    const { clock } = this.#options;
    const expire = () => {
      const last = running.lastOutput;
      const text = last === '' ? '' : ` (last output before timeout follows): ${last}`;
      this.#show(id, 'critical', `TTL expired${text}`);
    };
    let cancel = clock.after(spec.ttlMs, expire);
    const running: Running = {
      spec,
      serviceId,
      lastOutput: '',
      criticalSince,
      stop: () => cancel(),
      renew: () => {
        cancel();
        cancel = clock.after(spec.ttlMs, expire);
      },
    };
    this.#running.set(id, running);
  }

  // A status goes to the catalog at once. An output alone waits, so that a chatty heartbeat does not wake every watcher.
  #show(id: string, status: string, output: string): void {
    const running = this.#running.get(id);
    const record = this.#options.current(id);
    if (!running || !record) return;
    if (status !== 'critical') running.criticalSince = undefined;
    else running.criticalSince ??= this.#options.clock.now();
    if (record.Status !== status) {
      this.#clearPending(running);
      this.#options.update(id, status, output);
    } else if (output === record.Output) this.#clearPending(running);
    else {
      running.pendingOutput = output;
      running.cancelPending ??= this.#options.clock.after(OUTPUT_LAG_MS, () => {
        const newest = running.pendingOutput;
        this.#clearPending(running);
        const current = this.#options.current(id);
        if (current && newest !== undefined) this.#options.update(id, current.Status, newest);
      });
    }
  }

  #clearPending(running: Running): void {
    running.cancelPending?.();
    running.cancelPending = undefined;
    running.pendingOutput = undefined;
  }

  #scheduleReap(): void {
    if (this.#cancelReap) return;
    this.#cancelReap = this.#options.clock.after(REAP_EVERY_MS, () => {
      this.#cancelReap = undefined;
      this.#reap();
    });
  }

  #reap(): void {
    const now = this.#options.clock.now();
    const due = new Set<string>();
    let isNeeded = false;
    for (const { criticalSince, serviceId, spec } of this.#running.values()) {
      if (spec.deregisterAfterMs <= 0 || serviceId === '') continue;
      isNeeded = true;
      const grace = Math.max(spec.deregisterAfterMs, MIN_GRACE_MS);
      if (criticalSince !== undefined && now - criticalSince > grace) due.add(serviceId);
    }
    for (const serviceId of due) this.#options.deregister(serviceId);
    if (isNeeded) this.#scheduleReap();
  }
}
