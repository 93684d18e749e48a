import type { Snapshot } from '../../upstream/snapshot.ts';
import type { ApplyReport, Target } from '../target.ts';

/** Keeps the lists in this process, for services that look servers up themselves, and for tests. */
export class MemoryTarget implements Target {
  readonly description = 'this process';
  readonly #lists = new Map<string, Snapshot>();

  /** The list in use, or undefined before the first one. */
  get(upstream: string): Snapshot | undefined {
    return this.#lists.get(upstream);
  }

  async apply(snapshot: Snapshot): Promise<ApplyReport> {
    this.#lists.set(snapshot.upstream, snapshot);
    const { upstream, version } = snapshot;
    return { upstream, version, workers: [{ pid: process.pid, version }] };
  }

  async close(): Promise<void> {
    this.#lists.clear();
  }
}
