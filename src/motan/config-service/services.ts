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

/** Services whose nodes register themselves. */
export class Services {
  readonly #options: ServicesOptions;
  readonly #services = new Map<string, Service>();
  #version = 0;

  constructor(options: ServicesOptions) {
    this.#options = options;
  }

  /** Counts changes, heartbeats of nodes that had beaten before left out. */
  get version(): number {
    return this.#version;
  }

  /** What `restore` takes. */
  toJSON(): unknown {
    return [...this.#services].map(([name, { type, threshold, clusters }]) => ({
      name,
      type,
      threshold,
      clusters: [...clusters].map(([cluster, nodes]) => ({
        cluster,
        nodes: [...nodes].map(([node, { extInfo, beatAt }]) => ({
          node,
          extInfo,
          worked: beatAt !== undefined,
        })),
      })),
    }));
  }

  /**
   * Takes up what `toJSON` gave; what is no such thing is left out. Nodes that worked then get as long as any to beat again: nobody is
   * gone because this process was.
   */
  restore(data: unknown): void {
    for (const service of fieldsOf(data)) {
      const name = textOf(service['name']);
      const threshold = service['threshold'];
      try {
        const type = service['type'] === 'statics' ? 'statics' : 'dynamic';
        this.add(name, type, typeof threshold === 'number' ? threshold : undefined);
        for (const cluster of fieldsOf(service['clusters']))
          for (const node of fieldsOf(cluster['nodes'])) {
            const [where, address] = [textOf(cluster['cluster']), textOf(node['node'])];
            this.register(name, where, address, textOf(node['extInfo']));
            if (node['worked'] === true) this.heartbeat(name, where, address);
          }
      } catch {
        // Whoever lives registers again.
      }
    }
  }

  /** Adds a service, or changes its type and threshold. @throws {UpsyncError} BAD_REQUEST */
  add(name: string, type: ServiceType = 'dynamic', threshold = this.#options.threshold): void {
    if (!(threshold >= 0 && threshold <= 1)) throw badRequest('threshold must be 0 to 1');
    const service = this.#open(name);
    service.type = type;
    service.threshold = threshold;
    this.#version++;
  }

  /** Changes a service that is there. @throws {UpsyncError} BAD_REQUEST */
  update(name: string, type: ServiceType | undefined, threshold: number | undefined): void {
    const known = this.#services.get(name);
    if (known === undefined) throw badRequest('there is no such service');
    this.add(name, type ?? known.type, threshold ?? known.threshold);
  }

  /** Adds a cluster without nodes. @throws {UpsyncError} BAD_REQUEST */
  addCluster(name: string, cluster: string): void {
    this.#cluster(name, cluster);
    this.#version++;
  }

  /** Takes a cluster out with all its nodes. True when it was there. */
  deleteCluster(name: string, cluster: string): boolean {
    this.#version++;
    return this.#services.get(name)?.clusters.delete(cluster) ?? false;
  }

  /** Takes a service out with all its nodes. True when it was there. */
  delete(name: string): boolean {
    this.#version++;
    return this.#services.delete(name);
  }

  describe(name: string): { type: ServiceType; threshold: number; clusters: readonly string[] } | undefined {
    const service = this.#services.get(name);
    return service && { ...service, clusters: [...service.clusters.keys()] };
  }

  /** @throws {UpsyncError} BAD_REQUEST when the node is no address or there is no room. */
  register(name: string, cluster: string, node: string, extInfo = ''): void {
    parseAddress(node);
    if (extInfo.length > MAX_TEXT) throw badRequest('a value is too long');
    const nodes = this.#cluster(name, cluster);
    if (nodes.size >= MAX_NODES && !nodes.has(node)) throw badRequest(`service ${name} has no room for more`);
    nodes.set(node, { extInfo, beatAt: nodes.get(node)?.beatAt });
    this.#version++;
  }

  /** Takes a node out, whatever the threshold. True when it was there. */
  unregister(name: string, cluster: string, node: string): boolean {
    this.#version++;
    return this.#services.get(name)?.clusters.get(cluster)?.delete(node) ?? false;
  }

  /** False when the node is not registered: its owner then has to register again. */
  heartbeat(name: string, cluster: string, node: string): boolean {
    const found = this.#services.get(name)?.clusters.get(cluster)?.get(node);
    if (found === undefined) return false;
    if (found.beatAt === undefined) this.#version++;
    found.beatAt = this.#options.now();
    return true;
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

  #cluster(name: string, cluster: string): Map<string, Node> {
    if (cluster.length > MAX_TEXT) throw badRequest('a value is too long');
    const { clusters } = this.#open(name);
    const known = clusters.get(cluster);
    if (known !== undefined) return known;
    if (clusters.size >= MAX_NODES) throw badRequest(`service ${name} has no room for more`);
    const nodes = new Map<string, Node>();
    clusters.set(cluster, nodes);
    return nodes;
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

function fieldsOf(list: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(list)
    ? list.filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null)
    : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
