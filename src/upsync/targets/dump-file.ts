import type { Snapshot } from '../../upstream/snapshot.ts';
import { formatDump, writeDump } from '../dump.ts';
import type { ApplyReport, Target } from '../target.ts';

/** Keeps the last good list of each upstream on disk, for the next start. */
export class DumpFileTarget implements Target {
  readonly description = 'dump files';
  readonly #pathOf: (upstream: string) => string | undefined;
  readonly #written = new Map<string, string>();

  /** @param pathOf the file of an upstream; undefined when it keeps none. */
  constructor(pathOf: (upstream: string) => string | undefined) {
    this.#pathOf = pathOf;
  }

  async apply({ upstream, version, servers }: Snapshot): Promise<ApplyReport> {
    const file = this.#pathOf(upstream);
    if (file !== undefined) {
      // Addresses of host names change without the dump, which keeps the names.
      const text = `${file}\n${formatDump(servers)}`;
      if (this.#written.get(upstream) !== text) await writeDump(file, servers);
      this.#written.set(upstream, text);
    }
    return { upstream, version, workers: [] };
  }

  async close(): Promise<void> {
    this.#written.clear();
  }
}
