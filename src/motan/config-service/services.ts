import { parseAddress } from '../../upstream/address.ts';
import { UpsyncError } from '../../upstream/errors.ts';
import type { ServiceNodes } from './sign.ts';

export interface ServicesOptions {
  /** A dynamic node without heartbeat for so long is unreachable. Milliseconds. */
  readonly heartbeatTimeoutMs: number;
  /** Part of the nodes that once worked that missed heartbeats alone never take out. 0..1. */
  readonly threshold: number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

export type ServiceType = 'dynamic' | 'statics';

interface Node {
  readonly extInfo: string;
  /** Last heartbeat; undefined before the first. */
  beatAt: number | undefined;
}

interface Service {
  type: ServiceType;
  threshold: number;
  readonly clusters: Map<string, Map<string, Node>>;
}

const MAX_SERVICES = 10_000;
const MAX_NODES = 10_000;
const MAX_TEXT = 4096;

/** Services whose nodes register themselves. In memory: nodes that live register and beat again. */
export class Services {
  readonly #options: ServicesOptions;
  readonly #services = new Map<string, Service>();

  constructor(options: ServicesOptions) {
    this.#options = options;
  }

  /** Adds a service, or changes its type and threshold. @throws {UpsyncError} BAD_REQUEST */
  add(name: string, type: ServiceType = 'dynamic', threshold = this.#options.threshold): void {
    if (!(threshold >= 0 && threshold <= 1)) throw badRequest('threshold must be 0 to 1');
    const service = this.#open(name);
    service.type = type;
    service.threshold = threshold;
  }

  describe(name: string): { type: ServiceType; threshold: number; clusters: readonly string[] } | undefined {
    const service = this.#services.get(name);
    return service && { ...service, clusters: [...service.clusters.keys()] };
  }

  /** @throws {UpsyncError} BAD_REQUEST when the node is no address or there is no room. */
  register(name: string, cluster: string, node: string, extInfo = ''): void {
    parseAddress(node);
    if (extInfo.length > MAX_TEXT || cluster.length > MAX_TEXT) throw badRequest('a value is too long');
    const { clusters } = this.#open(name);
    const nodes = clusters.get(cluster) ?? new Map<string, Node>();
    if (clusters.size >= MAX_NODES || (nodes.size >= MAX_NODES && !nodes.has(node)))
      throw badRequest(`service ${name} has no room for more`);
    clusters.set(cluster, nodes);
    nodes.set(node, { extInfo, beatAt: nodes.get(node)?.beatAt });
  }

  /** Takes a node out, whatever the threshold. True when it was there. */
  unregister(name: string, cluster: string, node: string): boolean {
    return this.#services.get(name)?.clusters.get(cluster)?.delete(node) ?? false;
  }

  /** False when the node is not registered: its owner then has to register again. */
  heartbeat(name: string, cluster: string, node: string): boolean {
    const found = this.#services.get(name)?.clusters.get(cluster)?.get(node);
    if (found !== undefined) found.beatAt = this.#options.now();
    return found !== undefined;
  }

  /** The nodes of a cluster by what is believed of them now; undefined when there is no such cluster. */
  lookup(name: string, cluster: string): ServiceNodes | undefined {
    const service = this.#services.get(name);
    const nodes = service?.clusters.get(cluster);
    if (service === undefined || nodes === undefined) return undefined;
    const all = [...nodes].map(([host, { extInfo, beatAt }]) => ({ host, extInfo, beatAt }));
    const works = service.type === 'statics' ? () => true : this.#working(all, service.threshold);
    const shown = (isWorking: boolean) =>
      all
        .filter((node) => works(node) === isWorking)
        .map(({ host, extInfo }) => ({ host, extInfo }))
        .sort((a, b) => (a.host < b.host ? -1 : 1));
    return { working: shown(true), unreachable: shown(false) };
  }

  // Nodes that never worked neither count nor are kept.
  #working<T extends { beatAt: number | undefined }>(
    nodes: readonly T[],
    threshold: number,
  ): (node: T) => boolean {
    const { heartbeatTimeoutMs, now } = this.#options;
    const worked = nodes.filter(({ beatAt }) => beatAt !== undefined).sort((a, b) => b.beatAt! - a.beatAt!);
    const fresh = worked.filter(({ beatAt }) => now() - beatAt! < heartbeatTimeoutMs).length;
    // The epsilon keeps 0.6 × 5 at 3 in binary arithmetic.
    const kept = Math.max(fresh, Math.ceil(worked.length * threshold - 1e-9));
    const working = new Set(worked.slice(0, kept));
    return (node) => working.has(node);
  }

  #open(name: string): Service {
    const known = this.#services.get(name);
    if (known !== undefined) return known;
    if (name === '' || name.length > MAX_TEXT) throw badRequest('service is missing or too long');
    if (this.#services.size >= MAX_SERVICES) throw badRequest('there is no room for more services');
    const service: Service = { type: 'dynamic', threshold: this.#options.threshold, clusters: new Map() };
    this.#services.set(name, service);
    return service;
  }
}

/** A request that cannot be granted as it is. */
export function badRequest(why: string): UpsyncError {
  return new UpsyncError('BAD_REQUEST', why);
}
