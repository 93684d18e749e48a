import type { Cluster } from 'ioredis';
import { sleep } from '../../discovery/sleep.ts';
import { formatAddress } from '../../upstream/address.ts';
import { type Logger, SILENT } from '../../upstream/logger.ts';
import type { Resolution, Resolver, Subscription } from '../resolution.ts';
import { isReachable, PROBE_MS } from './connect.ts';

export interface FollowClusterOptions {
  /** How long a move waits for connections that are just being made. Milliseconds. @default 1000 */
  readonly graceMs?: number;
  /** How long until an IDC that could not be reached is tried again. Milliseconds. @default 5000 */
  readonly avoidMs?: number;
  /** @default SILENT */
  readonly logger?: Logger;
}

/** The part of an ioredis cluster client that is used. */
export type FollowableCluster = Pick<Cluster, 'status' | 'nodes' | 'disconnect' | 'on' | 'once' | 'off'>;

const TICK_MS = 20;
/** Servers tried at most before an IDC counts as out of reach. */
const TRIES = 3;

/**
 * Moves an ioredis cluster client that starts by `clusterLookup` when traffic is switched: once no IDC in which it has a node gets
 * traffic, and one that does can be reached, the client is told to look for its cluster anew.
 *
 * ```ts
 * const cluster = new Redis.Cluster([{ host: 'rc.a.7000', port: 7000 }], { dnsLookup: clusterLookup(resolver) });
 * const following = followCluster(cluster, resolver, 'rc.a.7000');
 * ```
 *
 * Commands under way are answered first, later ones wait in ioredis's offline queue; one that blocks (`BLPOP`) is rejected. The
 * servers of the name must be nodes of the clusters: a client none of whose nodes ever was one is left alone. It ends with the client.
 */
export function followCluster(
  cluster: FollowableCluster,
  resolver: Resolver,
  name: string,
  options: FollowClusterOptions = {},
): Subscription {
  const following = new FollowedCluster(cluster, name, options);
  const subscription = resolver.subscribe(name, (resolution) => following.hear(resolution));
  const unsubscribe = (): void => {
    subscription.unsubscribe();
    following.stop();
    cluster.off('end', unsubscribe);
  };
  cluster.once('end', unsubscribe);
  return { unsubscribe };
}

class FollowedCluster {
  readonly #cluster: FollowableCluster;
  readonly #name: string;
  readonly #options: FollowClusterOptions;
  readonly #stopped = new AbortController();
  /** IDC by address, of the nodes the client has now; it outlives their registration. */
  #idcs = new Map<string, string>();
  #resolution: Resolution | undefined;
  #isConsidering = false;
  #recheck: NodeJS.Timeout | undefined;

  constructor(cluster: FollowableCluster, name: string, options: FollowClusterOptions) {
    this.#cluster = cluster;
    this.#name = name;
    this.#options = options;
    cluster.on('ready', this.#look);
  }

  hear(resolution: Resolution): void {
    this.#resolution = resolution;
    this.#look();
  }

  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#recheck);
    this.#cluster.off('ready', this.#look);
  }

  readonly #look = (): void => {
    this.#remember();
    if (!this.#isConsidering) void this.#consider();
  };

  #remember(): void {
    const before = this.#idcs;
    const told = new Map(this.#resolution?.servers.map(({ address, idc }) => [address, idc]));
    this.#idcs = new Map();
    for (const { options } of this.#cluster.nodes()) {
      const address = formatAddress(options.host ?? '', options.port ?? 0);
      const idc = told.get(address) ?? before.get(address);
      if (idc !== undefined) this.#idcs.set(address, idc);
    }
  }

  get #isMisplaced(): boolean {
    if (this.#stopped.signal.aborted || this.#cluster.status !== 'ready' || this.#idcs.size === 0)
      return false;
    const served = new Set(this.#resolution?.idcs.filter(({ share }) => share > 0).map(({ idc }) => idc));
    return served.size > 0 && ![...this.#idcs.values()].some((idc) => served.has(idc));
  }

  async #consider(): Promise<void> {
    const { avoidMs = 5000, logger = SILENT } = this.#options;
    clearTimeout(this.#recheck);
    this.#isConsidering = true;
    // The other IDC is tried first: the registry may be the last to know that it is dead.
    while (this.#isMisplaced && (await this.#isReachableElsewhere())) {
      await this.#settled();
      if (!this.#isMisplaced) continue;
      logger.info({ name: this.#name, from: [...new Set(this.#idcs.values())].join() }, 'resource_moved');
      this.#cluster.disconnect(true);
    }
    this.#isConsidering = false;
    if (!this.#isMisplaced) return;
    this.#recheck = setTimeout(this.#look, avoidMs);
    this.#recheck.unref();
  }

  async #isReachableElsewhere(): Promise<boolean> {
    const servers = this.#resolution!.servers.filter(({ share }) => share > 0).slice(0, TRIES);
    for (const server of servers) if (await isReachable(server, PROBE_MS)) return true;
    return false;
  }

  // What waits for a connection that is just being made would be rejected with it.
  async #settled(): Promise<void> {
    const end = performance.now() + (this.#options.graceMs ?? 1000);
    const isMaking = (): boolean =>
      this.#cluster.nodes().some(({ status }) => status === 'connecting' || status === 'connect');
    while (isMaking() && performance.now() < end) await sleep(TICK_MS, this.#stopped.signal);
  }
}
