import { errorText, type Result, UpsyncError } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';
import type { Snapshot } from '../upstream/snapshot.ts';
import { applyChannel, type ApplyMessage } from './channels.ts';
import { createSlot, endRest, isUnfinished, markLost, restAfter, type Slot } from './delivery-slot.ts';
import type { ApplyReport, Target, WorkerReport } from './target.ts';

export interface DeliveryOptions {
  readonly logger: Logger;
  readonly random?: () => number;
  /** Longest one `apply` may take before it counts as failed. Milliseconds. @default 10000 */
  readonly applyTimeoutMs?: number;
  /** How often a target is asked what its workers use. Milliseconds. @default 1000 */
  readonly checkIntervalMs?: number;
}

/** How far one target is with one upstream. */
export interface DeliveryStatus {
  readonly target: string;
  /** The version it should use; undefined while it keeps the list it started with. */
  readonly wanted: number | undefined;
  /** The version it confirmed last. */
  readonly delivered: number | undefined;
  readonly workers: readonly WorkerReport[];
  /** Why the last attempt failed; the list is tried again. */
  readonly error: string | undefined;
}

/** Lists in one `applyMany`: one change never waits for thousands of others. */
const BATCH = 512;
/** Batches on their way at the same time, each with other upstreams: a worker that is slow to take one list holds up no other. */
const BATCHES = 4;
/** Targets without `applyMany`: upstreams in work at the same time. */
const LANES = 16;

/**
 * Converges one target: the newest list of each upstream wins, a failed attempt is repeated with full-jitter back-off, and
 * what the target lost behind our back is put back. Upstreams do not wait for each other.
 */
export class Delivery {
  readonly target: Target;
  readonly #options: DeliveryOptions;
  readonly #slots = new Map<string, Slot>();
  readonly #jobs = new Set<{ abort: AbortController; done: Promise<void> }>();
  readonly #check: NodeJS.Timeout | undefined;
  #seen = new Map<string, ApplyReport>();
  /** What `#seen` was made of. */
  #reports: readonly ApplyReport[] = [];
  #pumping: NodeJS.Immediate | undefined;
  #pause: NodeJS.Timeout | undefined;
  #lastStart = -Infinity;
  #checking = false;
  #outage: string | undefined;
  #closed = false;

  constructor(target: Target, options: DeliveryOptions) {
    this.target = target;
    this.#options = options;
    if (target.reports) {
      this.#check = setInterval(() => void this.#compare(), options.checkIntervalMs ?? 1000);
      this.#check.unref();
    }
  }

  /** Makes this the list the target should use. */
  put(snapshot: Snapshot): void {
    if (this.#closed) return;
    const slot = this.#slots.get(snapshot.upstream);
    if (slot) Object.assign(slot, { wanted: snapshot, due: true });
    else this.#slots.set(snapshot.upstream, createSlot(snapshot, this.#options.random));
    this.#schedule();
  }

  /** Forgets an upstream; the target keeps what it has. */
  remove(upstream: string): void {
    clearTimeout(this.#slots.get(upstream)?.timer);
    this.#slots.delete(upstream);
  }

  status(upstream: string): DeliveryStatus {
    const slot = this.#slots.get(upstream);
    const workers = this.#seen.get(upstream)?.workers ?? slot?.delivered?.workers ?? [];
    return {
      target: this.target.description,
      wanted: slot?.wanted.version,
      delivered: slot?.delivered?.version,
      workers,
      error: slot?.error ?? this.#outage,
    };
  }

  /** Stops; what is under way gets `graceMs` to finish. Resolves within that time. The target stays open. */
  async close(graceMs = 0): Promise<void> {
    if (this.#closed) return;
    if (graceMs > 0) {
      const deadline = performance.now() + graceMs;
      for (const slot of this.#slots.values()) endRest(slot);
      while (performance.now() < deadline && [...this.#slots.values()].some(isUnfinished)) {
        this.#pump();
        const left = Math.max(0, deadline - performance.now());
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, left)));
        await Promise.race([late, ...[...this.#jobs].map((job) => job.done)]);
        clearTimeout(timer);
      }
    }
    this.#closed = true;
    clearInterval(this.#check);
    clearImmediate(this.#pumping);
    clearTimeout(this.#pause);
    for (const slot of this.#slots.values()) clearTimeout(slot.timer);
    const jobs = [...this.#jobs];
    for (const { abort } of jobs) abort.abort(new UpsyncError('TARGET_CLOSED', 'the engine stops'));
    await Promise.all(jobs.map(({ done }) => done));
  }

  // Lists that change in the same moment come in the same turn of the event loop, or in the next ones: one batch.
  #schedule(): void {
    if (this.#closed) return;
    this.#pumping ??= setImmediate(() => {
      this.#pumping = undefined;
      this.#pump();
    });
  }

  #pump(): void {
    const { intervalMs } = this.target;
    const paced = intervalMs !== undefined;
    const limit = paced ? 1 : this.target.applyMany ? BATCHES : LANES;
    if (this.#jobs.size >= limit) return;
    const pause = this.#lastStart + (intervalMs ?? 0) - performance.now();
    if (pause > 0) {
      this.#pause ??= setTimeout(() => {
        this.#pause = undefined;
        this.#pump();
      }, pause);
      return;
    }
    const most = this.target.applyMany ? (paced ? Infinity : BATCH) : limit - this.#jobs.size;
    const ready: [string, Slot][] = [];
    for (const entry of this.#slots) {
      if (!entry[1].due || entry[1].busy || entry[1].timer) continue;
      ready.push(entry);
      if (ready.length >= most) break;
    }
    if (ready.length === 0) return;
    this.#lastStart = performance.now();
    if (this.target.applyMany) this.#start(ready);
    else for (const entry of ready) this.#start([entry]);
  }

  #start(entries: [string, Slot][]): void {
    const abort = new AbortController();
    const job = { abort, done: Promise.resolve() };
    this.#jobs.add(job);
    job.done = this.#run(entries, abort).finally(() => {
      this.#jobs.delete(job);
      this.#schedule();
    });
  }

  async #run(entries: [string, Slot][], abort: AbortController): Promise<void> {
    const snapshots = entries.map(([, slot]) => slot.wanted);
    for (const [, slot] of entries) {
      slot.busy = true;
      slot.due = false;
    }
    const begin = performance.now();
    const results = await this.#attempt(snapshots, abort);
    const failed = results.filter((result) => !result.ok);
    if (applyChannel.hasSubscribers) {
      applyChannel.publish({
        target: this.target.description,
        upstreams: snapshots.map((snapshot) => snapshot.upstream),
        seconds: (performance.now() - begin) / 1000,
        ok: failed.length === 0,
      } satisfies ApplyMessage);
    }
    const news: string[] = [];
    for (const [index, [upstream, slot]] of entries.entries()) {
      slot.busy = false;
      slot.attempts++;
      const result = results[index]!;
      if (result.ok) {
        slot.delivered = result.value;
        this.#seen.set(upstream, result.value);
        slot.error = undefined;
        slot.lagging = 0;
        slot.backoff.reset();
        slot.restMs = this.target.restMs ?? restAfter(snapshots[index]!);
        if (slot.restMs > 0 && !this.#closed) this.#wakeAfter(slot, slot.restMs);
      } else {
        if (slot.error === undefined) news.push(upstream);
        slot.error = errorText(result.error);
        slot.restMs = 0;
        slot.due = true;
        if (this.#slots.get(upstream) === slot && !this.#closed) this.#wakeAfter(slot, slot.backoff.next());
      }
    }
    if (news.length > 0 && !this.#closed) this.#report(news, failed[0]!);
  }

  async #attempt(snapshots: Snapshot[], abort: AbortController): Promise<readonly Result<ApplyReport>[]> {
    const timeoutMs = this.#options.applyTimeoutMs ?? 10_000;
    const why = `${this.target.description} did not answer in ${timeoutMs} ms`;
    const late = () => abort.abort(new UpsyncError('TARGET_TIMEOUT', why));
    const timer = setTimeout(late, timeoutMs);
    try {
      const work = this.target.applyMany
        ? this.target.applyMany(snapshots, abort.signal)
        : this.target.apply(snapshots[0]!, abort.signal).then((value) => [{ ok: true, value } as const]);
      // A target that ignores the signal must not hold up the others for ever.
      const results = await Promise.race([work, rejection(abort.signal)]);
      if (results.length === snapshots.length) return results;
      throw new UpsyncError(
        'TARGET_ANSWER',
        `${this.target.description} answered for the wrong number of lists`,
      );
    } catch (thrown) {
      const error =
        thrown instanceof UpsyncError
          ? thrown
          : new UpsyncError('TARGET_FAILED', `${this.target.description}: ${errorText(thrown)}`, {
              cause: thrown,
            });
      return snapshots.map(() => ({ ok: false, error }));
    } finally {
      clearTimeout(timer);
    }
  }

  #wakeAfter(slot: Slot, delayMs: number): void {
    slot.timer = setTimeout(() => {
      slot.timer = undefined;
      this.#schedule();
    }, delayMs);
    slot.timer.unref();
  }

  #report(upstreams: string[], failure: Result<ApplyReport>): void {
    if (failure.ok) return;
    this.#options.logger.error(
      {
        target: this.target.description,
        upstreams: upstreams.slice(0, 5),
        count: upstreams.length,
        code: failure.error.code,
        error: failure.error.message,
        next: 'what was there before stays there, trying again',
      },
      'apply_failed',
    );
  }

  async #compare(): Promise<void> {
    // An nginx without any upstream of ours has no control socket either: nothing is missing.
    if (this.#checking || this.#closed || !this.target.reports || this.#slots.size === 0) return;
    this.#checking = true;
    for (const slot of this.#slots.values()) slot.asked = slot.attempts;
    try {
      const bound = AbortSignal.timeout(this.#options.applyTimeoutMs ?? 10_000);
      const reports = await this.target.reports(bound);
      this.#outage = undefined;
      // Of thousands of upstreams nothing has moved, in nearly every second.
      if (reports !== this.#reports) this.#seen = new Map(reports.map((report) => [report.upstream, report]));
      this.#reports = reports;
      this.#repair();
    } catch (error) {
      if (this.#outage === undefined)
        this.#options.logger.warn(
          { target: this.target.description, error: errorText(error) },
          'target_unreachable',
        );
      this.#outage = errorText(error);
    } finally {
      this.#checking = false;
    }
  }

  #repair(): void {
    const { lost, behind } = markLost(this.#slots, this.#seen);
    const told = { target: this.target.description, next: 'sending the lists again' };
    if (lost.length > 0)
      this.#options.logger.warn({ ...told, upstreams: lost.slice(0, 5), count: lost.length }, 'lists_lost');
    if (behind.length > 0)
      this.#options.logger.warn(
        { ...told, upstreams: behind.slice(0, 5), count: behind.length },
        'worker_behind',
      );
    this.#schedule();
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = () => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
