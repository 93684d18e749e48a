const BITS = 11;
const BUCKETS = 2048;
const MASK = 2047;

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
  let shift = 0;
  // Three passes of 11 bits cover 32.
  for (let pass = 0; pass < 3; pass++) {
    const next = countStarts(fromKeys, size, shift);
    if (pass === 0) {
      // Filled from the front once, so that no language sees an array with holes.
      for (let i = 0; i < size; i++) {
        toKeys[i] = 0;
        toValues[i] = fromValues[i]!;
      }
    }
    for (let i = 0; i < size; i++) {
      const key = fromKeys[i]!;
      const digit = (key >>> shift) & MASK;
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
    shift += BITS;
  }
  for (let i = 0; i < size; i++) {
    keys[i] = fromKeys[i]!;
    values[i] = fromValues[i]!;
  }
}

/** Where the keys of each digit begin. */
function countStarts(keys: readonly number[], size: number, shift: number): number[] {
  const starts: number[] = [];
  for (let i = 0; i < BUCKETS; i++) starts.push(0);
  for (let i = 0; i < size; i++) {
    const digit = (keys[i]! >>> shift) & MASK;
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
