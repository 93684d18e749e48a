/**
 * Indexes of `weights` in random order: the heavier an item, the earlier it tends to stand; the first place goes to each with
 * probability weight ÷ sum of weights. Items without weight come last. With `ranks`, all of a lower rank stand before any of a
 * higher one. Pure but for `random`.
 * Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006).
 */
export function weightedOrder(
  weights: ArrayLike<number>,
  random: () => number,
  ranks?: ArrayLike<number>,
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
    return order.sort((a, b) => (ranks === undefined ? 0 : ranks[a]! - ranks[b]!) || keys[a]! - keys[b]!);
  for (let at = 1; at < count; at++) {
    const moved = order[at]!;
    let place = at;
    while (place > 0 && isBefore(moved, order[place - 1]!)) {
      order[place] = order[place - 1]!;
      place--;
    }
    order[place] = moved;
  }
  return order;

  function isBefore(a: number, b: number): boolean {
    if (ranks !== undefined && ranks[a] !== ranks[b]) return ranks[a]! < ranks[b]!;
    return keys[a]! < keys[b]!;
  }
}

/** Up to here sorting in place beats the call of a comparison function. */
const SORTED_BY_HAND = 32;
