import { Backoff } from '../upstream/backoff.ts';
import { type Logger, SILENT } from '../upstream/logger.ts';
import { sameList } from './same-list.ts';
import { sleep } from './sleep.ts';
import { SourceError, toSourceError } from './source-error.ts';
import type { Source, SourceList } from './source.ts';

/** What a watched source told: a new list, or why there is none at the moment. */
export type WatchEvent =
  | { readonly ok: true; readonly list: SourceList }
  | {
      readonly ok: false;
      /** The list before stays good. */
      readonly error: SourceError;
      /** Failures since the last contact, this one included. */
      readonly failures: number;
      /** When the source is asked again, in milliseconds from now. */
      readonly retryInMs: number;
    };

/** How {@link watch} goes on. */
export interface WatchOptions {
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** @default full jitter from 200 ms up to 10 s */
  readonly backoff?: Backoff;
  /** @default SILENT */
  readonly logger?: Logger;
  /** Told each list, also one that equals the one before: that the registry answers at all is news after an outage. */
  readonly heard?: (list: SourceList) => void;
}

/** Longest wait before a source that fails is asked again: what an outage may last longer for us. Milliseconds. */
const RETRY_CAP_MS = 10_000;

/**
 * Keeps a source going: yields each list that differs from the one before, and each failure as a value, after which it asks
 * again, waiting longer from failure to failure. Asking for the next event says that the list before was taken; only then
 * does the source go on. It ends when the signal aborts, and never throws.
 */
export async function* watch(source: Source, options: WatchOptions): AsyncGenerator<WatchEvent> {
  const { signal, backoff = new Backoff({ capMs: RETRY_CAP_MS }), logger = SILENT, heard } = options;
  let last: SourceList | undefined;
  while (!signal.aborted) {
    let error: SourceError;
    try {
      for await (const list of source.lists(signal)) {
        if (signal.aborted) return;
        backoff.reset();
        heard?.(list);
        if (last !== undefined && sameList(last, list)) continue;
        yield { ok: true, list };
        last = list;
      }
      error = new SourceError('SOURCE_ENDED', `${source.description} ended without being asked to`);
    } catch (thrown) {
      error = toSourceError(thrown, source.description);
    }
    if (signal.aborted) return;
    const retryInMs = backoff.next();
    const { failures } = backoff;
    logger.debug({ source: source.description, code: error.code, failures, retryInMs }, 'source_failed');
    yield { ok: false, error, failures, retryInMs };
    await sleep(retryInMs, signal);
  }
}
