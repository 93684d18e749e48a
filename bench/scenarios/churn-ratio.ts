import { pooled, type Latency } from '../latency.ts';
import { failures, type Sample } from '../rig/paced.ts';
import { controls, neighbours } from '../sandwich.ts';
import { spread, within, type Spread } from '../stats.ts';
import type { Measured } from './churn-plan.ts';

export type Mode = 'keepalive' | 'short';

/** One variant at one pace, all its rounds together. */
export interface Row {
  readonly variant: Measured['variant'];
  readonly changes: string;
  /** Of all rounds pooled. */
  readonly latency: Latency;
  /** p99 of each round. */
  readonly p99: Spread;
  /** p99 of a measurement to that of the static ones right before and after it: the median of all. */
  readonly ratio: number;
  /** The same round by round. */
  readonly ratios: Spread;
  readonly answeredPerSecond: number;
  readonly failed: number;
  readonly dropped: number;
  readonly measured: readonly Measured[];
}

interface Beside {
  readonly one: Measured;
  readonly base: readonly [Measured, Measured];
}

/** One row per step of the plan, from what was measured in sequence; a static one is compared to others, which shows the noise. */
export function churnRows(sequences: readonly (readonly Measured[])[], mode: Mode): Row[] {
  const groups = new Map<string, Beside[][]>();
  for (const sequence of sequences) {
    const found = new Map<string, Beside[]>();
    const compared = sequence.flatMap(({ base }, at) => (base ? [] : [at]));
    for (const at of [...controls(sequence), ...compared]) {
      const one = sequence[at]!;
      const { before, after } = neighbours(sequence, at);
      const key = keyOf(one);
      found.set(key, [...(found.get(key) ?? []), { one, base: [before, after] }]);
    }
    for (const [key, besides] of found) groups.set(key, [...(groups.get(key) ?? []), besides]);
  }
  const all = sequences.flat();
  return [...groups].map(([key, rounds]) =>
    rowOf(
      rounds,
      all.filter((one) => keyOf(one) === key),
      mode,
    ),
  );
}

/** `1.08 (1.02 to 1.15)`. */
export function showRatio({ ratio, ratios }: Row): string {
  return within(ratio, ratios.min, ratios.max);
}

function keyOf({ changes, variant }: Measured): string {
  return `${changes}, ${variant}`;
}

function rowOf(rounds: readonly (readonly Beside[])[], measured: readonly Measured[], mode: Mode): Row {
  const { variant, changes } = measured[0]!;
  const p99 = (several: readonly Measured[]): number => pooledOf(several, mode).p99;
  // One by one: pooled, the ratio would be that of the few measurements in which the machine stalled.
  const compare = (besides: readonly Beside[]): number =>
    spread(besides.map(({ one, base }) => p99([one]) / p99(base))).median;
  const samples = measured.map(({ result }) => result[mode]);
  const total = (value: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + value(sample), 0);
  return {
    variant,
    changes,
    latency: pooledOf(measured, mode),
    p99: spread(rounds.map((besides) => p99(besides.map(({ one }) => one)))),
    ratio: compare(rounds.flat()),
    ratios: spread(rounds.map(compare)),
    answeredPerSecond: total(({ ok }) => ok) / measured.reduce((sum, { seconds }) => sum + seconds, 0),
    failed: total(failures),
    dropped: total(({ dropped }) => dropped),
    measured,
  };
}

function pooledOf(measured: readonly Measured[], mode: Mode): Latency {
  return pooled(measured.map(({ result }) => result[mode].microseconds));
}
