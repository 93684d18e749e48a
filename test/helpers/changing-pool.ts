import { createServer, type Server } from '../../src/upstream/server.ts';

/** What the registry says of a server. */
interface Attributes {
  weight: number;
  down: boolean;
  maxFails: number;
  failTimeout: number;
}

/** The list as the registry should have it, and a random next change of it. Two servers are always up. */
export class ChangingPool {
  readonly #spare: string[];
  readonly #list = new Map<string, Attributes>();
  readonly #random: () => number;

  constructor(addresses: readonly string[], seed: number) {
    this.#random = mulberry32(seed);
    for (const address of addresses.slice(0, 4)) this.#list.set(address, this.#attributes());
    this.#spare = addresses.slice(4);
  }

  all(): { address: string; body: object }[] {
    return [...this.#list].map(([address, attributes]) => ({ address, body: bodyOf(attributes) }));
  }

  servers(): Server[] {
    return [...this.#list].map(([address, { weight, down, maxFails, failTimeout }]) =>
      createServer(address, { weight, down, maxFails, failTimeoutMs: failTimeout * 1000 }),
    );
  }

  /** Changes one thing; without a body the server is removed. */
  change(): { address: string; body?: object } {
    const up = [...this.#list].filter(([, { down }]) => !down).length;
    const dice = this.#random();
    if (dice < 0.15 && this.#spare.length > 0) return this.#set(this.#spare.shift()!, this.#attributes());
    const [address, old] = this.#pick([...this.#list]);
    const mayGo = old.down || up > 2;
    if (dice < 0.3 && mayGo) {
      this.#list.delete(address);
      this.#spare.push(address);
      return { address };
    }
    if (dice < 0.5 && mayGo) return this.#set(address, { ...old, down: !old.down });
    if (dice < 0.7) return this.#set(address, { ...this.#attributes(), weight: old.weight, down: old.down });
    return this.#set(address, { ...old, weight: this.#weight() });
  }

  #set(address: string, attributes: Attributes): { address: string; body: object } {
    this.#list.set(address, attributes);
    return { address, body: bodyOf(attributes) };
  }

  #attributes(): Attributes {
    return {
      weight: this.#weight(),
      down: false,
      maxFails: Math.floor(this.#random() * 4),
      failTimeout: 1 + Math.floor(this.#random() * 30),
    };
  }

  #weight(): number {
    return 1 + Math.floor(this.#random() * 20);
  }

  #pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)]!;
  }
}

function bodyOf({ weight, down, maxFails, failTimeout }: Attributes): object {
  return { weight, max_fails: maxFails, fail_timeout: failTimeout, ...(down && { down: 1 }) };
}

// A small generator with a seed, so that a failed run can be repeated.
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
