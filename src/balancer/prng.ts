/**
 * Numbers that look random and are the same in JavaScript and Lua: Marsaglia's xorshift on 32 bits. Not for secrets.
 */
export class Prng {
  private state: number;

  /** Any whole number below 2^53. */
  constructor(seed: number) {
    const low = Math.floor(Math.abs(seed)) % 4294967296;
    // Zero is the one state that xorshift never leaves.
    this.state = (low ^ 0x5bd1e995) | 0;
    if (this.state === 0) this.state = 1;
    // Neighbouring seeds, such as worker pids, start close to each other; some steps take them apart.
    for (let i = 0; i < 16; i++) this.below(1);
  }

  /** A whole number from 0 to `limit` - 1; `limit` is at most 2^32. */
  below(limit: number): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    // Both languages give a signed 32-bit number here.
    return Math.floor(((x < 0 ? x + 4294967296 : x) / 4294967296) * limit);
  }
}
