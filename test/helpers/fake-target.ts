import { type Result, UpsyncError } from '../../src/upstream/errors.ts';
import type { Snapshot } from '../../src/upstream/snapshot.ts';
import type { ApplyReport, Target } from '../../src/upsync/target.ts';

/** A target of one process and its workers that can be broken in the ways nginx breaks. */
export class FakeTarget implements Target {
  readonly description = 'fake target';
  /** What each worker uses. */
  readonly workers = new Map<number, Map<string, number | undefined>>([
    [11, new Map()],
    [12, new Map()],
  ]);
  readonly lists = new Map<string, Snapshot>();
  /** Upstream names per call of `apply` or `applyMany`. */
  readonly calls: string[][] = [];
  /** Calls fail while this is set. */
  failure: Error | undefined;
  /** Upstreams that are refused. */
  readonly refused = new Set<string>();
  /** Calls wait for this. */
  gate: Promise<void> | undefined;
  closed = false;

  async apply(snapshot: Snapshot): Promise<ApplyReport> {
    this.calls.push([snapshot.upstream]);
    await this.gate;
    if (this.failure) throw this.failure;
    return this.#take(snapshot);
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** As nginx restarted: the lists are gone. */
  restart(): void {
    this.lists.clear();
    for (const used of this.workers.values()) used.clear();
  }

  protected async many(snapshots: readonly Snapshot[]): Promise<Result<ApplyReport>[]> {
    this.calls.push(snapshots.map((snapshot) => snapshot.upstream));
    await this.gate;
    if (this.failure) throw this.failure;
    return snapshots.map((snapshot) =>
      this.refused.has(snapshot.upstream)
        ? { ok: false, error: new UpsyncError('TARGET_FULL', `no room for ${snapshot.upstream}`) }
        : { ok: true, value: this.#take(snapshot) },
    );
  }

  protected all(): ApplyReport[] {
    if (this.failure) throw this.failure;
    return [...this.lists.values()].map((snapshot) => this.#report(snapshot));
  }

  #take(snapshot: Snapshot): ApplyReport {
    this.lists.set(snapshot.upstream, snapshot);
    for (const used of this.workers.values()) used.set(snapshot.upstream, snapshot.version);
    return this.#report(snapshot);
  }

  #report({ upstream, version }: Snapshot): ApplyReport {
    const workers = [...this.workers].map(([pid, used]) => ({ pid, version: used.get(upstream) }));
    return { upstream, version, workers };
  }
}

/** The same with `applyMany` and `reports`, as nginx has them. */
export class FakeNginx extends FakeTarget {
  applyMany(snapshots: readonly Snapshot[]): Promise<readonly Result<ApplyReport>[]> {
    return this.many(snapshots);
  }

  async reports(): Promise<readonly ApplyReport[]> {
    return this.all();
  }
}
