import type { Result } from '../upstream/errors.ts';
import type { Snapshot } from '../upstream/snapshot.ts';

/** What one worker (an nginx worker process, or this process) says of one upstream. */
export interface WorkerReport {
  readonly pid: number;
  /** The snapshot version this worker now uses, or undefined when it runs a list this target did not give it. */
  readonly version: number | undefined;
}

/** What a target reports after a snapshot was put to work. */
export interface ApplyReport {
  readonly upstream: string;
  readonly version: number;
  readonly workers: readonly WorkerReport[];
}

/**
 * Somewhere lists are put to work.
 *
 * `apply` is all-or-nothing and idempotent by version: a snapshot that is already in use changes nothing. It resolves when
 * the list is in force for the next request, and rejects with an `UpsyncError` (code `TARGET_…`) when the old list still
 * is; the caller decides about trying again. It never empties a target because of a failure.
 */
export interface Target {
  /** For logs and pages: `nginx /run/upsync/control.sock`. */
  readonly description: string;
  /**
   * Least time between two calls, in milliseconds; the caller gathers changes in between, and makes one call at a time.
   * @default calls for different upstreams may overlap
   */
  readonly intervalMs?: number;
  /**
   * Least time between two calls for one upstream, in milliseconds: the first change of a burst comes at once, the last one
   * at the end of the rest or when the delivery ends.
   * @default a rest that grows with the list, 1 ms for 50 servers
   */
  readonly restMs?: number;
  apply(snapshot: Snapshot, signal?: AbortSignal): Promise<ApplyReport>;
  /**
   * As `apply` for many upstreams in one go; the results stand in the order of the snapshots, and one that fails does not
   * fail the others. Rejects when the target cannot be reached at all.
   */
  applyMany?(snapshots: readonly Snapshot[], signal?: AbortSignal): Promise<readonly Result<ApplyReport>[]>;
  /**
   * What the workers use now, for every upstream this target was given; asked once a second so that a list lost behind our
   * back (nginx restarted, a new worker) is noticed and put back. Targets that cannot lose a list leave it out. The same
   * array as before says that nothing has changed.
   */
  reports?(signal?: AbortSignal): Promise<readonly ApplyReport[]>;
  close(): Promise<void>;
}
