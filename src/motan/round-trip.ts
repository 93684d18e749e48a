import { connectMs } from './probe.ts';

/** Measures the round trip to an IDC by its servers, in milliseconds; undefined when none answers. */
export type MeasureRoundTrip = (
  servers: readonly { readonly host: string; readonly port: number }[],
  signal: AbortSignal,
) => Promise<number | undefined>;

const SERVERS = 3;
const SAMPLES = 5;
const LEAST_REPLIES = 3;
/** A new figure must differ by this part to count, so that two IDCs equally far do not change places all the time. */
const HYSTERESIS = 0.2;

/**
 * Measures by opening TCP connections: up to 5 to each of up to 3 servers, of which at least 3 must succeed within a second;
 * the result is their trimmed mean.
 */
export const measureByConnecting: MeasureRoundTrip = async (servers, signal) => {
  const samples: number[] = [];
  for (const { host, port } of servers.slice(0, SERVERS))
    for (let sample = 0; sample < SAMPLES && !signal.aborted; sample++) {
      const taken = await connectMs(host, port, signal);
      // A server that does not answer once is not asked five times.
      if (taken === undefined) break;
      samples.push(taken);
    }
  return samples.length < LEAST_REPLIES ? undefined : trimmedMean(samples);
};

/** Mean of what is left when the lowest and the highest fifth are taken away. */
export function trimmedMean(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const cut = Math.floor(sorted.length / 5);
  const kept = sorted.slice(cut, sorted.length - cut);
  return kept.reduce((sum, one) => sum + one, 0) / kept.length;
}

/** The figure to go on with: the old one, unless the new one differs enough or the IDC stopped answering. */
export function steadied(before: number | undefined, measured: number | undefined): number | undefined {
  if (before === undefined || measured === undefined) return measured;
  return Math.abs(measured - before) > before * HYSTERESIS ? measured : before;
}
