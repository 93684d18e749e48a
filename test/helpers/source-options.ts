import type { SourceOptions } from '../../src/discovery/source.ts';

/** Options of a source with what a test does not care about filled in. */
export function sourceOptions(
  options: Partial<SourceOptions> & Pick<SourceOptions, 'type' | 'path'>,
): SourceOptions {
  return { addresses: [], intervalMs: 5000, timeoutMs: 360_000, ...options };
}
