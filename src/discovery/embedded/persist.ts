import { readFile } from 'node:fs/promises';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import type { Logger } from '../../upstream/logger.ts';
import { replaceFile, whyNotReplaced } from '../replace-file.ts';
import type { Clock } from './clock.ts';
import { decodeSnapshot, encodeSnapshot, type Snapshot } from './snapshot-file.ts';

/** Writes are gathered for this long before the file is written. Milliseconds. */
const GATHER_MS = 100;
/** Between attempts when the file cannot be written. Milliseconds. */
const RETRY_MS = 5000;

/**
 * Reads what an earlier run left.
 * @returns undefined when there is no file yet.
 * @throws {UpsyncError} REGISTRY_DATA_UNREADABLE, REGISTRY_DATA_CORRUPT: the file stays as it is, and the registry does
 * not start, rather than start empty and write that over it.
 */
export async function loadSnapshot(path: string): Promise<Snapshot | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UpsyncError(
      'REGISTRY_DATA_UNREADABLE',
      `cannot read the registry's data file ${path}: ${errorText(error)}; the registry does not start`,
      { cause: error },
    );
  }
  try {
    return decodeSnapshot(text);
  } catch (error) {
    throw new UpsyncError(
      'REGISTRY_DATA_CORRUPT',
      `the registry's data file ${path} is damaged (${errorText(error)}); it was left as it is: repair it, or move it away to start empty`,
      { cause: error },
    );
  }
}

/** Keeps a file in step with the store: soon after each write, whole or not at all. */
export class Persister {
  readonly #path: string;
  readonly #take: () => Snapshot;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #cancel: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isDirty = false;

  constructor(options: { path: string; take: () => Snapshot; clock: Clock; logger: Logger }) {
    this.#path = options.path;
    this.#take = options.take;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** Call after each write to the store. */
  changed(): void {
    this.#isDirty = true;
    this.#cancel ??= this.#clock.after(GATHER_MS, () => void this.#flushSoon());
  }

  /** Writes what is still unwritten. @throws {UpsyncError} REGISTRY_DATA_UNWRITABLE; the last good file is kept. */
  async flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    const before = this.#writing;
    const own = before.catch(() => undefined).then(async () => this.#write());
    this.#writing = own;
    await own;
  }

  async #flushSoon(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      this.#logger.error({ path: this.#path, error: errorText(error) }, 'registry_data_not_written');
      this.#cancel ??= this.#clock.after(RETRY_MS, () => void this.#flushSoon());
    }
  }

  async #write(): Promise<void> {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    try {
      await replaceFile(this.#path, encodeSnapshot(this.#take()));
    } catch (error) {
      this.#isDirty = true;
      throw new UpsyncError(
        'REGISTRY_DATA_UNWRITABLE',
        `cannot write the registry's data file ${this.#path}: ${whyNotReplaced(error, this.#path)}; the file of the last success is kept`,
        { cause: error },
      );
    }
  }
}
