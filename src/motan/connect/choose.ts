import { isHealthy } from '../provider.ts';
import type { Resolution, ResolvedServer } from '../resolution.ts';
import { weightedOrder } from '../weighted-order.ts';

/** Who chooses how: a `writer` goes where all writers go, a `reader` is one of many that share the servers by weight. */
export type ResourceRole = 'writer' | 'reader';

/** A failure counts as trouble for this long after it stopped to count for its server. Milliseconds. */
const KEPT_MS = 60_000;

/** Remembers servers that could not be reached lately, so that the next try goes elsewhere. */
export class RecentFailures {
  readonly #until = new Map<string, number>();
  readonly #forMs: number;

  constructor(forMs: number) {
    this.#forMs = forMs;
  }

  /** True while any server that failed has not been reached since; the oldest are forgotten with later failures. */
  get isTroubled(): boolean {
    return this.#until.size > 0;
  }

  add(address: string, now: number): void {
    for (const [other, until] of this.#until) if (until + KEPT_MS <= now) this.#until.delete(other);
    this.#until.set(address, now + this.#forMs);
  }

  delete(address: string): void {
    this.#until.delete(address);
  }

  has(address: string, now: number): boolean {
    return (this.#until.get(address) ?? 0) > now;
  }
}

/**
 * The servers a client may connect to, the one to try first in front. A writer takes them as ranked, so that all writers meet
 * on one server; a reader takes them in random order by share, so that many readers spread as the ranking says. Pure.
 */
export function candidates(
  resolution: Resolution,
  role: ResourceRole,
  random: () => number,
): readonly ResolvedServer[] {
  const usable = resolution.servers.filter(({ share }) => share > 0);
  if (role === 'writer' || usable.length < 2) return usable;
  const order = weightedOrder(
    usable.map(({ share }) => share),
    random,
  );
  return Array.from(order, (at) => usable[at]!);
}

/**
 * The server a client should be on: the one it is on while that has traffic (a writer only while no better one does), else the
 * first that did not fail lately; when all with traffic did, a healthy one of the IDCs that stand by, since whoever tried knows
 * better than the registry. Undefined when there is nobody. Pure.
 */
export function chooseServer(
  resolution: Resolution,
  role: ResourceRole,
  hasFailed: (address: string) => boolean,
  random: () => number,
  current?: string,
): ResolvedServer | undefined {
  const usable = candidates(resolution, role, random);
  const own = usable.find(({ address }) => address === current);
  if (role === 'reader' && own !== undefined) return own;
  return (
    usable.find(({ address }) => !hasFailed(address)) ??
    own ??
    standby(resolution).find(({ address }) => !hasFailed(address)) ??
    usable[0]
  );
}

/** Healthy servers without traffic of the IDCs that come after those with traffic, best first. */
export function standby({ servers }: Resolution): readonly ResolvedServer[] {
  const last = servers.reduce((max, { share, rank }) => (share > 0 ? Math.max(max, rank) : max), -1);
  // An IDC that comes before one with traffic was taken out on purpose, or cannot serve.
  return servers.filter(
    ({ share, rank, health, weight }) =>
      share === 0 && last >= 0 && rank > last && isHealthy(health) && weight > 0,
  );
}
