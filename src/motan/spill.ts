/** What is known of one priority level (here: one IDC), best first. */
export interface Level {
  readonly total: number;
  readonly healthy: number;
}

export interface SpillOptions {
  /** A level counts as fully healthy down to 1/factor of its servers, 71.4 % for 1.4. @default 1.4 */
  readonly overprovisioning?: number;
  /** Below this part of healthy servers a level uses all of them, once no other level can help. @default 0.5 */
  readonly panicThreshold?: number;
}

/** Where the load goes. */
export interface Spill {
  /** Whole per cent per level; they add up to 100, or to 0 when there is no server at all. */
  readonly loads: readonly number[];
  /** Levels that use failing servers too. */
  readonly panic: readonly boolean[];
  /** True when the levels together cannot carry the load: nobody is left to spill to. */
  readonly short: boolean;
}

export const SPILL_DEFAULTS: Required<SpillOptions> = Object.freeze({
  overprovisioning: 1.4,
  panicThreshold: 0.5,
});

/**
 * Spreads load over priority levels so that it moves away gradually as servers fail: a level takes load up to its health,
 * `min(100, 140 × healthy / total)`, the rest goes to the next; when all together have less than 100 the loads are scaled up.
 * Whole numbers throughout, rounded as Envoy does. Source: Envoy, "Priority levels" and "Panic threshold".
 */
export function spill(levels: readonly Level[], options: SpillOptions = {}): Spill {
  const { overprovisioning, panicThreshold } = { ...SPILL_DEFAULTS, ...options };
  const health = levels.map((level) => levelHealth(level, overprovisioning));
  const sum = Math.min(
    100,
    health.reduce((total, one) => total + one, 0),
  );
  const short = sum < 100;
  const panic = levels.map(
    ({ total, healthy }) => short && total > 0 && healthy < total * panicThreshold && panicThreshold > 0,
  );
  if (sum === 0) {
    // Nothing is healthy anywhere: the best level that has servers at all carries everything, on all of them.
    const first = levels.findIndex((level) => level.total > 0);
    const loads = levels.map((_, index) => (index === first ? 100 : 0));
    return { loads, panic: panic.map((isPanic, index) => isPanic && index === first), short };
  }
  let left = 100;
  const loads = health.map((one) => {
    const load = Math.min(left, Math.floor((100 * one) / sum));
    left -= load;
    return load;
  });
  loads[health.findIndex((one) => one > 0)]! += left;
  return { loads, panic, short };
}

/** Health of one level in whole per cent, overprovisioning applied. */
export function levelHealth(
  { total, healthy }: Level,
  overprovisioning = SPILL_DEFAULTS.overprovisioning,
): number {
  if (total <= 0) return 0;
  // The factor counts in whole per cent, as Envoy's does, so that 1.4 × 100 is 140 and not 139.99….
  return Math.min(100, Math.floor((Math.round(overprovisioning * 100) * healthy) / total));
}

/**
 * Spreads load by given weights instead of by order: each level gets `weight × health`, scaled to 100. Undefined when none of
 * the weighted levels can serve; `spill` then decides. Source: Envoy, locality-weighted load balancing.
 */
export function planLoads(
  levels: readonly Level[],
  weights: readonly number[],
  options: SpillOptions = {},
): readonly number[] | undefined {
  const effective = levels.map(
    (level, index) => (weights[index] ?? 0) * levelHealth(level, options.overprovisioning),
  );
  const sum = effective.reduce((total, one) => total + one, 0);
  return sum > 0 ? effective.map((one) => (100 * one) / sum) : undefined;
}
