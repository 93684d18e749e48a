/** Median with its spread over the rounds of one measurement. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: readonly number[];
}

/** Median, minimum and maximum of the rounds; throws on an empty list, since a missing measurement must not look like 0. */
export function spread(rounds: readonly number[]): Spread {
  if (rounds.length === 0) throw new Error('no rounds to summarise');
  const sorted = [...rounds].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted[sorted.length - 1]!, rounds };
}

/** Round by round ratios, so that drift of the machine between rounds cancels out. */
export function ratio(ours: readonly number[], base: readonly number[]): Spread {
  const pairs = Math.min(ours.length, base.length);
  return spread(Array.from({ length: pairs }, (_, round) => ours[round]! / base[round]!));
}

/** The variants in the order of one round: reversed every other round, so that neither always goes first. */
export function alternate<T>(variants: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? variants : [...variants].reverse();
}

/** `1.08 (1.02 to 1.15)`: one number, and from where to where it went. */
export function within(value: number, low: number, high: number, digits = 2): string {
  return `${value.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}

/** A number as a reader wants it: three significant digits, thousands separated. */
export function pretty(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-GB').replaceAll(',', ' ');
  return String(Number(value.toPrecision(3)));
}

/** The value below which `rank` percent of the values lie; 100 is the largest. */
export function percentile(values: readonly number[], rank: number): number {
  if (values.length === 0) throw new Error('no values to rank');
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((rank / 100) * sorted.length) - 1)]!;
}
