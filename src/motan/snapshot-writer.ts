import { errorText } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';
import { type NameSnapshot, writeSnapshot } from './snapshot-file.ts';

/**
 * Writes the snapshots of one name, one at a time, the newest only, and not more often than `intervalMs`; a disk that
 * refuses is reported and tried again with the next change.
 */
export class SnapshotWriter {
  readonly #folder: string;
  readonly #intervalMs: number;
  readonly #logger: Logger;
  #next: (() => NameSnapshot) | undefined;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string, logger: Logger, intervalMs = 1000) {
    this.#folder = folder;
    this.#logger = logger;
    this.#intervalMs = intervalMs;
  }

  /** Asks for the snapshot to be written soon; `make` is called when it is. */
  save(make: () => NameSnapshot): void {
    this.#next = make;
    if (this.#timer !== undefined || this.#writing !== undefined) return;
    this.#timer = setTimeout(() => void this.flush(), this.#intervalMs);
    this.#timer.unref();
  }

  /** Writes what is still waiting, now. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#next !== undefined || this.#writing !== undefined) {
      this.#writing ??= this.#write();
      await this.#writing;
    }
  }

  async #write(): Promise<void> {
    const snapshot = this.#next!();
    this.#next = undefined;
    try {
      await writeSnapshot(this.#folder, snapshot);
    } catch (error) {
      this.#logger.warn({ name: snapshot.name, reason: errorText(error) }, 'snapshot_failed');
    } finally {
      this.#writing = undefined;
    }
  }
}
