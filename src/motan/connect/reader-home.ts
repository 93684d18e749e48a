import type { Resolution, ResolvedServer } from '../resolution.ts';
import { candidates } from './choose.ts';

/**
 * The server a reader belongs on: drawn once by share, and drawn again only as far as the shares change. So many readers are spread as
 * the shares say, from change to change, and no more of them move than have to. A server that only failed keeps its readers: they come
 * back when it does.
 */
export class ReaderHome {
  readonly #random: () => number;
  #address: string | undefined;
  #shares: ReadonlyMap<string, number> = new Map();
  #last: { readonly resolution: Resolution; readonly home: ResolvedServer | undefined } | undefined;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Where the reader belongs by this resolution; undefined when no server has traffic. The same one gives the same answer. */
  in(resolution: Resolution): ResolvedServer | undefined {
    if (this.#last?.resolution === resolution) return this.#last.home;
    const home = this.#drawn(resolution);
    this.#last = { resolution, home };
    return home;
  }

  #drawn(resolution: Resolution): ResolvedServer | undefined {
    const usable = candidates(resolution, 'writer', this.#random);
    const shares = new Map(usable.map(({ address, share }) => [address, share]));
    if (shares.size > 0) {
      const isHome = this.#address !== undefined && (this.#shares.get(this.#address) ?? 0) > 0;
      this.#address = isHome
        ? rebalanced(this.#address!, this.#shares, shares, this.#random)
        : candidates(resolution, 'reader', this.#random)[0]!.address;
      this.#shares = shares;
    }
    return usable.find(({ address }) => address === this.#address);
  }
}

/**
 * Where a reader belongs after shares have changed: where one shrank by a third, a third of its readers leave for the servers whose
 * share grew. Pure but for `random`. Source: the maximal coupling of two distributions.
 */
export function rebalanced(
  current: string,
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
  random: () => number,
): string {
  const had = before.get(current) ?? 0;
  const has = now.get(current) ?? 0;
  if (has >= had - ROUNDING || random() < has / had) return current;
  const grown = [...now]
    .map(([address, share]) => [address, share - (before.get(address) ?? 0)] as const)
    .filter(([, more]) => more > ROUNDING);
  let left = random() * grown.reduce((total, [, more]) => total + more, 0);
  return (grown.find(([, more]) => (left -= more) < 0) ?? grown.at(-1))?.[0] ?? current;
}

/** Shares that differ by less are the same. */
const ROUNDING = 1e-9;
