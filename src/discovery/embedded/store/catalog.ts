import type { Indexes } from './indexes.ts';
import { type CheckRecord, type Fresh, isSame, type NodeRecord, type ServiceRecord } from './records.ts';

/** Topics of the catalog's tables; a service and a node have one each as well. */
export const NODES = 'nodes';
export const SERVICES = 'services';
export const CHECKS = 'checks';
export const EXTINCTION = 'service extinction';
export const NODE_EXTINCTION = 'node extinction';
export const serviceTopic = (name: string): string => `service=${fold(name)}`;
export const nodeTopic = (name: string): string => `node=${fold(name)}`;

/** What one catalog registration brings. */
export interface Registration {
  readonly node: Fresh<NodeRecord>;
  /** Leave a node that is there as it is. */
  readonly skipNodeUpdate?: boolean;
  readonly service?: Fresh<ServiceRecord>;
  readonly checks?: readonly Fresh<CheckRecord>[];
}

/**
 * Nodes, services and checks, with Consul's rules for what raises which index: a service's index follows its instances,
 * their checks, their nodes and the node's own checks, and the last instance's end is remembered as an "extinction".
 * Names and ids are compared without regard to case, as Consul does.
 */
export class Catalog {
  readonly #indexes: Indexes;
  readonly #nodes = new Map<string, NodeRecord>();
  readonly #services = new Map<string, Map<string, ServiceRecord>>();
  readonly #checks = new Map<string, Map<string, CheckRecord>>();
  readonly #byName = new Map<string, Set<ServiceRecord>>();

  constructor(indexes: Indexes) {
    this.#indexes = indexes;
  }

  node(name: string): NodeRecord | undefined {
    return this.#nodes.get(fold(name));
  }

  nodes(): NodeRecord[] {
    return sorted(this.#nodes);
  }

  service(node: string, id: string): ServiceRecord | undefined {
    return this.#services.get(fold(node))?.get(fold(id));
  }

  servicesOfNode(node: string): ServiceRecord[] {
    return sorted(this.#services.get(fold(node)));
  }

  /** All instances of a service, by node and id. */
  instances(name: string): ServiceRecord[] {
    return [...(this.#byName.get(fold(name)) ?? [])].sort(byNodeAndId);
  }

  services(): ServiceRecord[] {
    return [...this.#services.values()].flatMap((services) => [...services.values()]).sort(byNodeAndId);
  }

  check(node: string, id: string): CheckRecord | undefined {
    return this.#checks.get(fold(node))?.get(fold(id));
  }

  checksOfNode(node: string): CheckRecord[] {
    return sorted(this.#checks.get(fold(node)));
  }

  checks(): CheckRecord[] {
    return this.nodes().flatMap((node) => this.checksOfNode(node.Node));
  }

  /** The node's own checks, then the instance's: what decides about this instance. */
  checksOfInstance(service: ServiceRecord): CheckRecord[] {
    const all = this.checksOfNode(service.Node);
    const own = all.filter((check) => fold(check.ServiceID) === fold(service.ID));
    return [...all.filter((check) => check.ServiceID === ''), ...own];
  }

  /** The index a query about one service answers with. */
  serviceIndex(name: string, withChecks: boolean): number {
    if (this.#byName.has(fold(name))) return this.#indexes.of(serviceTopic(name));
    return (
      this.#indexes.peek(EXTINCTION) ?? this.#indexes.of(NODES, SERVICES, ...(withChecks ? [CHECKS] : []))
    );
  }

  register({ node, skipNodeUpdate, service, checks }: Registration): void {
    this.#indexes.write((index) => {
      const old = this.node(node.Node);
      if (old === undefined || (!skipNodeUpdate && !isSame(old, node))) this.#putNode(node, old, index);
      if (service) this.#putService(service, index);
      for (const check of checks ?? []) this.#putCheck(check, index);
    });
  }

  putCheck(check: Fresh<CheckRecord>): void {
    this.#indexes.write((index) => this.#putCheck(check, index));
  }

  deleteService(node: string, id: string): void {
    this.#indexes.write(() => {
      const service = this.service(node, id);
      if (service) this.#deleteService(service);
    });
  }

  deleteCheck(node: string, id: string): void {
    this.#indexes.write(() => {
      const check = this.check(node, id);
      if (check) this.#deleteCheck(check);
    });
  }

  deleteNode(name: string): void {
    this.#indexes.write(() => {
      if (!this.node(name)) return;
      for (const service of this.servicesOfNode(name)) this.#deleteService(service);
      for (const check of this.checksOfNode(name)) this.#deleteCheck(check);
      for (const map of [this.#nodes, this.#services, this.#checks]) map.delete(fold(name));
      this.#indexes.touch(nodeTopic(name));
      this.#indexes.forget(nodeTopic(name));
      this.#indexes.touch(NODES);
      this.#indexes.touch(NODE_EXTINCTION);
    });
  }

  dump(): { nodes: NodeRecord[]; services: ServiceRecord[]; checks: CheckRecord[] } {
    return { nodes: this.nodes(), services: this.services(), checks: this.checks() };
  }

  /** Takes back what `dump` gave; services and checks of unknown nodes are dropped. */
  restore({ nodes, services, checks }: ReturnType<Catalog['dump']>): void {
    for (const node of nodes) this.#nodes.set(fold(node.Node), node);
    for (const service of services) if (this.node(service.Node)) this.#storeService(service);
    for (const check of checks)
      if (this.node(check.Node)) inner(this.#checks, check.Node).set(fold(check.CheckID), check);
  }

  #putNode(node: Fresh<NodeRecord>, old: NodeRecord | undefined, index: number): void {
    const record = { ...node, CreateIndex: old?.CreateIndex ?? index, ModifyIndex: index };
    this.#nodes.set(fold(node.Node), record);
    this.#indexes.touch(NODES);
    this.#indexes.touch(nodeTopic(node.Node));
    this.#touchServicesOf(node.Node);
  }

  #putService(service: Fresh<ServiceRecord>, index: number): void {
    const old = this.service(service.Node, service.ID);
    if (isSame(old, service)) return;
    // An id that takes another name leaves its old service for good.
    if (old && fold(old.Service) !== fold(service.Service)) this.#unlink(old);
    this.#storeService({ ...service, CreateIndex: old?.CreateIndex ?? index, ModifyIndex: index });
    for (const topic of [SERVICES, NODES, nodeTopic(service.Node), serviceTopic(service.Service)])
      this.#indexes.touch(topic);
  }

  #storeService(service: ServiceRecord): void {
    const old = this.service(service.Node, service.ID);
    const instances = this.#byName.get(fold(service.Service)) ?? new Set();
    if (old) instances.delete(old);
    this.#byName.set(fold(service.Service), instances.add(service));
    inner(this.#services, service.Node).set(fold(service.ID), service);
  }

  #putCheck(check: Fresh<CheckRecord>, index: number): void {
    const service = check.ServiceID === '' ? undefined : this.service(check.Node, check.ServiceID);
    const old = this.check(check.Node, check.CheckID);
    const whole = {
      ...check,
      ServiceName: service?.Service ?? check.ServiceName,
      ServiceTags: service ? service.Tags : check.ServiceTags,
    };
    if (isSame(old, whole)) return;
    inner(this.#checks, check.Node).set(fold(check.CheckID), {
      ...whole,
      CreateIndex: old?.CreateIndex ?? index,
      ModifyIndex: index,
    });
    this.#touchChecks(whole);
  }

  #deleteCheck(check: CheckRecord): void {
    this.#checks.get(fold(check.Node))?.delete(fold(check.CheckID));
    this.#touchChecks(check);
    if (check.ServiceID === '') this.#indexes.touch(SERVICES);
  }

  #deleteService(service: ServiceRecord): void {
    for (const check of this.checksOfNode(service.Node))
      if (fold(check.ServiceID) === fold(service.ID)) this.#deleteCheck(check);
    this.#services.get(fold(service.Node))?.delete(fold(service.ID));
    for (const topic of [CHECKS, SERVICES, NODES, nodeTopic(service.Node)]) this.#indexes.touch(topic);
    this.#unlink(service);
  }

  #unlink(service: ServiceRecord): void {
    const instances = this.#byName.get(fold(service.Service));
    instances?.delete(service);
    this.#indexes.touch(serviceTopic(service.Service));
    if (instances && instances.size > 0) return;
    this.#byName.delete(fold(service.Service));
    this.#indexes.forget(serviceTopic(service.Service));
    this.#indexes.touch(EXTINCTION);
  }

  #touchChecks(check: { Node: string; ServiceID: string; ServiceName: string }): void {
    this.#indexes.touch(CHECKS);
    if (check.ServiceID === '') this.#touchServicesOf(check.Node);
    else this.#indexes.touch(serviceTopic(check.ServiceName));
  }

  #touchServicesOf(node: string): void {
    for (const service of this.#services.get(fold(node))?.values() ?? [])
      this.#indexes.touch(serviceTopic(service.Service));
  }
}

function fold(text: string): string {
  return text.toLowerCase();
}

function sorted<T>(map: ReadonlyMap<string, T> | undefined): T[] {
  return [...(map ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

function inner<T>(outer: Map<string, Map<string, T>>, node: string): Map<string, T> {
  const found = outer.get(fold(node)) ?? new Map<string, T>();
  outer.set(fold(node), found);
  return found;
}

function byNodeAndId(a: ServiceRecord, b: ServiceRecord): number {
  const [left, right] = [`${fold(a.Node)}\0${fold(a.ID)}`, `${fold(b.Node)}\0${fold(b.ID)}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
