import { UpsyncError } from '../../upstream/errors.ts';
import { isHealthy } from '../provider.ts';
import type { NameReader, Resolution, ResolvedServer } from '../resolution.ts';
import type { ServiceNode, ServiceNodes } from './sign.ts';

/**
 * The name behind a service and a cluster: service `rs` with cluster `a/6379`, or service `rs.a.6379` with none; undefined when
 * they are neither.
 */
export function nameOf(service: string, cluster: string): string | undefined {
  const place = /^([a-z0-9-]+)\/(\d{1,5})$/i.exec(cluster);
  if (place !== null) return `${service}.${place[1]}.${place[2]}`;
  return cluster === '' && /\.\d{1,5}$/.test(service) ? service : undefined;
}

/** A resolution as a client that polls sees it: working are those that take traffic, each with its share. */
export function nodesOf({ servers }: Resolution): ServiceNodes {
  const node = ({ address, idc, rank, weight, share }: ResolvedServer): ServiceNode => ({
    host: address,
    // Six digits, so that an unchanged share has an unchanged sign.
    extInfo: JSON.stringify({ idc, rank, weight, share: Number(share.toFixed(6)) }),
  });
  return {
    working: servers.filter(({ share }) => share > 0).map(node),
    unreachable: servers.filter(({ share, health }) => share === 0 && !isHealthy(health)).map(node),
  };
}

/** Names looked up for clients: at most so many, each given up when nobody asked for a while. */
export class NameGate {
  readonly #usedAt = new Map<string, number>();
  readonly #max: number;
  readonly #idleMs: number;

  constructor(max: number, idleMs: number) {
    this.#max = max;
    this.#idleMs = idleMs;
  }

  /** The first answer to a name. @throws {UpsyncError} what the resolver throws; TOO_MANY_NAMES. */
  async resolve(resolver: NameReader, name: string, timeoutMs: number): Promise<Resolution> {
    const now = performance.now();
    if (!this.#usedAt.has(name) && this.#usedAt.size >= this.#max) {
      for (const [other, at] of this.#usedAt) if (now - at > this.#idleMs) this.#usedAt.delete(other);
      if (this.#usedAt.size >= this.#max)
        throw new UpsyncError('TOO_MANY_NAMES', 'too many names are looked up; try again later');
    }
    const current = resolver.resolve(name);
    this.#usedAt.set(name, now);
    return current.state === 'pending' ? resolver.ready(name, { timeoutMs }) : current;
  }
}
