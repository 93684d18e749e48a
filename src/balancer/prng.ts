/**
 * Numbers that look random and are the same in JavaScript and Lua: a linear congruential generator whose products stay
 * below 2^53, so that plain doubles compute it exactly. Not for secrets.
 */
export class Prng {
  private state: number;

  /** Any number; its whole part modulo 2^31 is the seed. */
  constructor(seed: number) {
    this.state = Math.floor(Math.abs(seed)) % 2147483648;
    // Neighbouring seeds, such as worker pids, start close to each other; a few steps take them apart.
    for (let i = 0; i < 4; i++) this.below(1);
  }

  /** A whole number from 0 to `limit` - 1; `limit` is at most 2^31. */
  below(limit: number): number {
    // Numerical Recipes' multiplier needs 31 + 21 bits.
    this.state = (this.state * 1664525 + 1013904223) % 2147483648;
    return Math.floor((this.state / 2147483648) * limit);
  }
}
