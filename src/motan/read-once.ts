import { UpsyncError } from '../upstream/errors.ts';
import type { ValueSource } from './provider.ts';

/**
 * The first value of a source, for those who ask once and do not watch.
 * @throws {UpsyncError} what the source throws, or PENDING when it told nothing within `timeoutMs`.
 */
export async function readOnce<T>(source: ValueSource<T>, timeoutMs = 5000): Promise<T> {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), timeoutMs);
  try {
    for await (const value of source.values(ending.signal)) return value;
    throw new UpsyncError('PENDING', `${source.description} told nothing within ${timeoutMs} ms`);
  } finally {
    clearTimeout(timer);
    ending.abort();
  }
}
