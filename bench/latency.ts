import { build } from 'hdr-histogram-js';
import { pretty } from './stats.ts';

/** Milliseconds, from an HDR histogram. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly count: number;
}

const MICROSECONDS = 1000;
const LARGEST = 60_000_000;

/** The percentiles of all recordings together: pooled, rare stalls of one round weigh as much as they are. Throws when there are none. */
export function pooled(recordings: readonly (readonly number[])[]): Latency {
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LARGEST,
    numberOfSignificantValueDigits: 3,
  });
  for (const microseconds of recordings)
    for (const value of microseconds)
      histogram.recordValue(Math.min(LARGEST, Math.max(1, Math.round(value))));
  if (histogram.totalCount === 0) throw new Error('no latencies to summarise');
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / MICROSECONDS;
  return {
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    max: histogram.maxValue / MICROSECONDS,
    count: histogram.totalCount,
  };
}

/** Headings of the columns that `latencyCells` fills. */
export const LATENCY_COLUMNS: readonly string[] = ['p50 ms', 'p99 ms', 'p99.9 ms', 'max ms'];

export function latencyCells({ p50, p99, p999, max }: Latency): string[] {
  return [p50, p99, p999, max].map(pretty);
}
