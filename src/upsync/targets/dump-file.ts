import type { Snapshot } from '../../upstream/snapshot.ts';
import { sameInOrder } from '../../upstream/diff.ts';
import type { Server } from '../../upstream/server.ts';
import { writeDump } from '../dump.ts';
import type { ApplyReport, Target } from '../target.ts';

interface Written {
  readonly file: string;
  readonly servers: readonly Server[];
}

/** Keeps the last good list of each upstream on disk, for the next start. */
export class DumpFileTarget implements Target {
  readonly description = 'dump files';
  /** Each write waits for the disk twice, and takes as much of the processor as a change does: a burst of changes costs one a second. */
  readonly restMs = 1000;
  readonly #pathOf: (upstream: string) => string | undefined;
  readonly #written = new Map<string, Written>();

  /** @param pathOf the file of an upstream; undefined when it keeps none. */
  constructor(pathOf: (upstream: string) => string | undefined) {
    this.#pathOf = pathOf;
  }

  async apply({ upstream, version, servers }: Snapshot): Promise<ApplyReport> {
    const file = this.#pathOf(upstream);
    if (file !== undefined) {
      // Addresses of host names change without the dump, which keeps the names.
      const written = this.#written.get(upstream);
      if (written?.file !== file || !sameInOrder(written.servers, servers)) await writeDump(file, servers);
      this.#written.set(upstream, { file, servers });
    }
    return { upstream, version, workers: [] };
  }

  async close(): Promise<void> {
    this.#written.clear();
  }
}
