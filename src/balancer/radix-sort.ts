const BITS = 11;
const BUCKETS = 2048;

/**
 * Sorts `keys`, whole numbers below 2^32, and `values` along with them; equal keys keep their order. Linear in the number
 * of keys, and the same in both languages, which their own sorts are not.
 */
export function radixSort<T>(keys: number[], values: T[]): void {
  const size = keys.length;
  let fromKeys = keys;
  let fromValues = values;
  let toKeys: number[] = [];
  let toValues: T[] = [];
  let divisor = 1;
  // Three passes of 11 bits are 33 bits; a fourth, of nothing, would bring the result back into `keys`.
  for (let pass = 0; pass < 3; pass++) {
    const next = countStarts(fromKeys, size, divisor);
    if (pass === 0) {
      // Filled from the front once, so that no language sees an array with holes.
      for (let i = 0; i < size; i++) {
        toKeys.push(0);
        toValues.push(fromValues[i]!);
      }
    }
    for (let i = 0; i < size; i++) {
      const key = fromKeys[i]!;
      const digit = Math.floor(key / divisor) % BUCKETS;
      const place = next[digit]!;
      next[digit] = place + 1;
      toKeys[place] = key;
      toValues[place] = fromValues[i]!;
    }
    const spareKeys = fromKeys;
    const spareValues = fromValues;
    fromKeys = toKeys;
    fromValues = toValues;
    toKeys = spareKeys;
    toValues = spareValues;
    divisor *= 2 ** BITS;
  }
  for (let i = 0; i < size; i++) {
    keys[i] = fromKeys[i]!;
    values[i] = fromValues[i]!;
  }
}

/** Where the keys of each digit begin. */
function countStarts(keys: readonly number[], size: number, divisor: number): number[] {
  const starts: number[] = [];
  for (let i = 0; i < BUCKETS; i++) starts.push(0);
  for (let i = 0; i < size; i++) {
    const digit = Math.floor(keys[i]! / divisor) % BUCKETS;
    starts[digit] = starts[digit]! + 1;
  }
  let sum = 0;
  for (let i = 0; i < BUCKETS; i++) {
    const count = starts[i]!;
    starts[i] = sum;
    sum += count;
  }
  return starts;
}
