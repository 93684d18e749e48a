import type { Scenario } from './scenario.ts';

/** Of a full measurement's time, the part that `--quick` does not shorten: starting and ending programs. */
const FIXED_SHARE = 0.45;
const USUAL_ROUNDS = 3;
const SLOWEST = 4;
const FASTEST = 0.4;

/** How long a scenario should take, in minutes. */
export function estimate(
  { minutes, minutesOnce = 0 }: Pick<Scenario, 'minutes' | 'minutesOnce'>,
  { rounds, scale }: { readonly rounds: number; readonly scale: number },
): number {
  const shortened = FIXED_SHARE + (1 - FIXED_SHARE) * scale;
  return (minutesOnce + ((minutes - minutesOnce) * rounds) / USUAL_ROUNDS) * shortened;
}

/** Where a run is. Minutes throughout. */
export interface Position {
  /** How long each scenario of the run should take. */
  readonly estimates: readonly number[];
  /** The one that is running. */
  readonly at: number;
  /** Since the run began. */
  readonly spent: number;
  /** Since this scenario began. */
  readonly spentHere: number;
}

/** How long the rest takes, corrected by how this machine kept to the estimates of what is done already. */
export function remaining({ estimates, at, spent, spentHere }: Position): number {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const done = sum(estimates.slice(0, at));
  const pace = done > 0 ? Math.min(SLOWEST, Math.max(FASTEST, (spent - spentHere) / done)) : 1;
  return Math.max(0, (estimates[at] ?? 0) * pace - spentHere) + sum(estimates.slice(at + 1)) * pace;
}
