/**
 * Indexes of `weights` in random order: the heavier an item, the earlier it tends to stand; the first place goes to each with
 * probability weight ÷ sum of weights. Items without weight come last. With `ranks`, all of a lower rank stand before any of a
 * higher one, but for those of the rank `lead`, which stand in front. Pure but for `random`.
 * Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006).
 */
export function weightedOrder(
  weights: ArrayLike<number>,
  random: () => number,
  ranks?: ArrayLike<number>,
  lead?: number,
): Uint32Array {
  const count = weights.length;
  const order = new Uint32Array(count);
  const keys = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    order[at] = at;
    // 1 - random() is never 0, so that the logarithm is finite.
    keys[at] = weights[at]! > 0 ? -Math.log(1 - random()) / weights[at]! : Number.MAX_VALUE;
  }
  if (count > SORTED_BY_HAND)
    return order.sort(
      (a, b) => (ranks === undefined ? 0 : place(ranks[a]!) - place(ranks[b]!)) || keys[a]! - keys[b]!,
    );
  for (let at = 1; at < count; at++) {
    const moved = order[at]!;
    let to = at;
    while (to > 0 && isBefore(moved, order[to - 1]!)) {
      order[to] = order[to - 1]!;
      to--;
    }
    order[to] = moved;
  }
  return order;

  function place(rank: number): number {
    return rank === lead ? -1 : rank;
  }

  function isBefore(a: number, b: number): boolean {
    if (ranks !== undefined && ranks[a] !== ranks[b]) return place(ranks[a]!) < place(ranks[b]!);
    return keys[a]! < keys[b]!;
  }
}

/** One of the ranks, each with probability sum of its weights ÷ sum of all: the `lead` of an order that follows the weights. */
export function drawnRank(
  weights: ArrayLike<number>,
  ranks: ArrayLike<number>,
  random: () => number,
): number {
  let sum = 0;
  for (let at = 0; at < weights.length; at++) sum += weights[at]!;
  let left = random() * sum;
  for (let at = 0; at < weights.length; at++) {
    left -= weights[at]!;
    if (left < 0) return ranks[at]!;
  }
  return ranks[weights.length - 1]!;
}

/** Up to here sorting in place beats the call of a comparison function. */
const SORTED_BY_HAND = 32;
