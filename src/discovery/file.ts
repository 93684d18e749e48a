import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorText } from '../upstream/errors.ts';
import { parseListFile } from './file-list.ts';
import { onAbort } from './on-abort.ts';
import { sleep } from './sleep.ts';
import { SourceError } from './source-error.ts';
import type { Source, SourceList } from './source.ts';
import { untilAborted } from './until-aborted.ts';

/** Largest file that is read, in bytes. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** The file is also read without any event this often, since events get lost on some file systems. Milliseconds. */
const REREAD_MS = 30_000;
/** A file must read the same twice, this far apart, because an editor or `cp` may be half-way through it. Milliseconds. */
const SETTLE_MS = 25;
const SETTLE_TRIES = 40;

/** Times of {@link FileSource}, for tests. */
export interface FileSourceOptions {
  readonly path: string;
  /** @default 30000 */
  readonly rereadMs?: number;
}

/**
 * A list kept in a file (`upsync_type=file`). The folder is watched instead of the file and every event means only "read it
 * again", so atomic renames, in-place writes and Kubernetes' `..data` symlink swaps all work.
 */
export class FileSource implements Source {
  readonly description: string;
  readonly #path: string;
  readonly #rereadMs: number;

  constructor({ path, rereadMs = REREAD_MS }: FileSourceOptions) {
    this.#path = path;
    this.#rereadMs = rereadMs;
    this.description = `file ${path}`;
  }

  lists(signal: AbortSignal): AsyncIterable<SourceList> {
    return untilAborted(this.#lists(signal), signal);
  }

  async *#lists(signal: AbortSignal): AsyncGenerator<SourceList> {
    // Watching starts before the first read, so no change can fall in between.
    const bell = new Bell();
    const { watch } = await import('chokidar');
    const watcher = watch(dirname(this.#path), {
      depth: 0,
      ignoreInitial: true,
      ignorePermissionErrors: true,
    });
    const ring = (): void => {
      bell.ring();
    };
    // Of two changes within 50 ms chokidar reports one, and not always the last; the system's own events tell of both.
    watcher.on('all', ring).on('raw', ring);
    // A watcher that fails (no inotify handles left, say) leaves the slow re-read in charge.
    watcher.on('error', () => undefined);
    try {
      await Promise.race([
        new Promise<void>((resolve) => watcher.once('ready', resolve)),
        sleep(2_000, signal),
      ]);
      let before: string | undefined;
      while (!signal.aborted) {
        bell.quiet();
        const text = await this.#readSettled(before, signal);
        if (text !== before && !signal.aborted) yield parseListFile(text, this.#path);
        before = text;
        await bell.heard(this.#rereadMs, signal);
      }
    } finally {
      await watcher.close();
    }
  }

  /** The file's text; when it differs from `before`, the text that stays the same for a moment. */
  async #readSettled(before: string | undefined, signal: AbortSignal): Promise<string> {
    let text = await this.#read();
    for (let turn = 0; text !== before && turn < SETTLE_TRIES && !signal.aborted; turn++) {
      if (turn === 0 && before === undefined && text.endsWith('\n')) return text;
      await sleep(SETTLE_MS, signal);
      const again = await this.#read();
      if (again === text) return text;
      text = again;
    }
    return text;
  }

  async #read(): Promise<string> {
    try {
      const { size } = await stat(this.#path);
      if (size > MAX_FILE_BYTES)
        throw new SourceError('SOURCE_TOO_LARGE', `${this.#path} is larger than any list; it is not read`);
      return await readFile(this.#path, 'utf8');
    } catch (error) {
      if (error instanceof SourceError) throw error;
      throw new SourceError(
        'SOURCE_FILE',
        `could not read ${this.#path}: ${errorText(error)}; the list before stays in use`,
        { cause: error },
      );
    }
  }
}

/** Remembers that something happened until somebody looks. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  quiet(): void {
    this.#rung = false;
  }

  /** Resolves once it rang since it was last quiet, or after `ms`, or when the signal aborts. */
  async heard(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#rung || signal.aborted) return;
    const woken = new AbortController();
    this.#wake = () => {
      woken.abort();
    };
    const release = onAbort(signal, () => {
      woken.abort();
    });
    try {
      await sleep(ms, woken.signal);
    } finally {
      release();
      this.#wake = undefined;
    }
  }
}
