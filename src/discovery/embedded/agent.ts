import { SILENT, type Logger } from '../../upstream/logger.ts';
import { CheckTimers } from './check-timers.ts';
import { type CheckSpec, checkType } from './check-spec.ts';
import type { Clock } from './clock.ts';
import type { AgentService } from './decode-agent.ts';
import { formatGoDuration } from './go-duration.ts';
import { HttpError } from './http/errors.ts';
import { type Identity, VERSION } from './identity.ts';
import type { CheckRecord, Fresh, ServiceRecord } from './store/records.ts';
import type { Store } from './store/store.ts';

const NODE_MAINTENANCE = '_node_maintenance';
const serviceMaintenance = (id: string): string => `_service_maintenance:${id}`;
const noReason = (what: string): string =>
  `Maintenance mode is enabled for this ${what}, but no reason was provided. This is a default message.`;

/** Agent state that is not in the catalog, for the file. */
export interface AgentDump {
  readonly services: readonly string[];
  readonly checks: readonly (readonly [id: string, spec: CheckSpec | null])[];
}

/**
 * The agent of the one node this registry is: services and checks registered with it, their TTLs and probes, maintenance.
 * What it owns lives in the catalog under its own node, so both views always agree.
 */
export class Agent {
  readonly #store: Store;
  readonly #identity: Identity;
  readonly #logger: Logger;
  readonly #services = new Set<string>();
  readonly #specs = new Map<string, CheckSpec | null>();
  readonly #timers: CheckTimers;

  constructor(options: {
    store: Store;
    identity: Identity;
    clock: Clock;
    random: () => number;
    logger?: Logger;
  }) {
    this.#store = options.store;
    this.#identity = options.identity;
    this.#logger = options.logger ?? SILENT;
    this.#timers = new CheckTimers({
      clock: options.clock,
      random: options.random,
      current: (id) => this.#record(id),
      update: (id, status, output) => this.#setStatus(id, status, output),
      deregister: (serviceId) => {
        this.#logger.warn({ service: serviceId }, 'critical_service_deregistered');
        this.#removeService(serviceId);
      },
    });
  }

  /** Puts the node itself into the catalog, as a Consul server does when it becomes leader. */
  start(): void {
    const { address, datacenter, node, nodeId, port } = this.#identity;
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    const addresses = { lan: address, [`lan_${family}`]: address, wan: address, [`wan_${family}`]: address };
    this.#store.catalog.register({
      node: {
        ID: nodeId,
        Node: node,
        Address: address,
        Datacenter: datacenter,
        TaggedAddresses: addresses,
        Meta: { 'consul-network-segment': '', 'consul-version': VERSION },
      },
      service: {
        ...{ Node: node, ID: 'consul', Service: 'consul', Tags: [], Address: '', TaggedAddresses: null },
        ...{ Meta: { version: VERSION }, Port: port, SocketPath: '', EnableTagOverride: false },
        Weights: { Passing: 1, Warning: 1 },
      },
      checks: [
        this.#newCheck('serfHealth', {
          Name: 'Serf Health Status',
          Status: 'passing',
          Output: 'Agent alive and reachable',
        }),
      ],
    });
  }

  services(): ServiceRecord[] {
    return this.#store.catalog
      .servicesOfNode(this.#identity.node)
      .filter((service) => this.#services.has(service.ID));
  }

  service(id: string): ServiceRecord | undefined {
    return this.#services.has(id) ? this.#store.catalog.service(this.#identity.node, id) : undefined;
  }

  /** The agent's checks, each with its newest output, which may be ahead of the catalog's. */
  checks(): CheckRecord[] {
    return this.#store.catalog
      .checksOfNode(this.#identity.node)
      .filter((check) => this.#specs.has(check.CheckID))
      .map((check) => ({ ...check, Output: this.#timers.newestOutput(check.CheckID) ?? check.Output }));
  }

  registerService(wanted: AgentService, replacesChecks: boolean): void {
    const { checks, ...service } = wanted;
    this.#refuseScripts(checks);
    const ids = checks.map((check, at) => check.id || defaultCheckId(service.ID, at, checks.length));
    this.#store.indexes.write(() => {
      this.#store.catalog.register({
        node: this.#ownNode(),
        service: { ...service, Node: this.#identity.node },
        checks: checks.map((check, at) => {
          const old = this.#record(ids[at]!);
          return this.#newCheck(ids[at]!, {
            ...described(check),
            Name: check.name || `Service '${service.Service}' check`,
            Status: old?.Status ?? (check.status || 'critical'),
            Output: old?.Output ?? notRunNote(check),
            ServiceID: service.ID,
          });
        }),
      });
      if (replacesChecks) this.#removeChecksOf(service.ID, ids);
    });
    this.#services.add(service.ID);
    checks.forEach((check, at) => this.#adopt(ids[at]!, check, service.ID));
  }

  /** @throws {HttpError} 404 when the agent has no such service. */
  deregisterService(id: string): void {
    this.#requireService(id);
    this.#removeService(id);
  }

  /** @throws {HttpError} 404 when the check is for a service the agent does not have. */
  registerCheck(check: CheckSpec): void {
    if (check.serviceId !== '' && !this.service(check.serviceId))
      throw new HttpError(404, `ServiceID ${JSON.stringify(check.serviceId)} does not exist`);
    this.#refuseScripts([check]);
    const id = check.id || check.name;
    const old = this.#record(id);
    this.#store.catalog.putCheck(
      this.#newCheck(id, {
        ...described(check),
        Interval: formatGoDuration(check.intervalMs),
        Timeout: formatGoDuration(check.timeoutMs),
        Status: old?.Status ?? (check.status || 'critical'),
        Output: old?.Output ?? notRunNote(check),
        ServiceID: check.serviceId,
      }),
    );
    this.#adopt(id, check, check.serviceId);
  }

  /** @throws {HttpError} 404 when the agent has no such check. */
  deregisterCheck(id: string): void {
    this.#requireCheck(id);
    this.#removeCheck(id);
  }

  /** @throws {HttpError} 404 for an unknown check, 500 for one without a TTL. */
  updateTtl(id: string, status: string, output: string): void {
    this.#requireCheck(id);
    if (!this.#timers.beat(id, status, output))
      throw new HttpError(500, `CheckID ${JSON.stringify(id)} does not have associated TTL`);
  }

  /** @throws {HttpError} 404 when the agent has no such service. */
  setServiceMaintenance(id: string, isOn: boolean, reason: string): void {
    this.#requireService(id);
    this.#setMaintenance(serviceMaintenance(id), isOn, {
      Name: 'Service Maintenance Mode',
      Notes: reason || noReason('service'),
      ServiceID: id,
    });
  }

  setNodeMaintenance(isOn: boolean, reason: string): void {
    this.#setMaintenance(NODE_MAINTENANCE, isOn, {
      Name: 'Node Maintenance Mode',
      Notes: reason || noReason('node'),
    });
  }

  dump(): AgentDump {
    return { services: [...this.#services], checks: [...this.#specs] };
  }

  /** Takes back what `dump` gave; TTLs start anew, so that a service has its full time to report. */
  restore({ services, checks }: AgentDump): void {
    for (const id of services)
      if (this.#store.catalog.service(this.#identity.node, id)) this.#services.add(id);
    for (const [id, spec] of checks) {
      const record = this.#record(id);
      if (!record) continue;
      if (spec === null) this.#specs.set(id, null);
      else this.#adopt(id, spec, record.ServiceID);
    }
  }

  close(): void {
    this.#timers.close();
  }

  #adopt(id: string, spec: CheckSpec, serviceId: string): void {
    this.#specs.set(id, spec);
    this.#timers.start(id, spec, serviceId);
  }

  #setMaintenance(id: string, isOn: boolean, check: Partial<CheckRecord>): void {
    if (isOn === this.#specs.has(id)) return;
    if (!isOn) return this.#removeCheck(id);
    this.#specs.set(id, null);
    this.#store.catalog.putCheck(this.#newCheck(id, { ...check, Status: 'critical', Type: 'maintenance' }));
  }

  #setStatus(id: string, status: string, output: string): void {
    const record = this.#record(id);
    if (record) this.#store.catalog.putCheck({ ...record, Status: status, Output: output });
  }

  #removeService(id: string): void {
    for (const check of this.#store.catalog.checksOfNode(this.#identity.node))
      if (check.ServiceID === id) this.#forgetCheck(check.CheckID);
    this.#services.delete(id);
    this.#store.catalog.deleteService(this.#identity.node, id);
  }

  #removeChecksOf(serviceId: string, except: readonly string[]): void {
    for (const check of this.#store.catalog.checksOfNode(this.#identity.node))
      if (check.ServiceID === serviceId && !except.includes(check.CheckID)) this.#removeCheck(check.CheckID);
  }

  #removeCheck(id: string): void {
    this.#forgetCheck(id);
    this.#store.catalog.deleteCheck(this.#identity.node, id);
  }

  #forgetCheck(id: string): void {
    this.#timers.stop(id);
    this.#specs.delete(id);
  }

  #record(id: string): CheckRecord | undefined {
    return this.#store.catalog.check(this.#identity.node, id);
  }

  #ownNode() {
    return this.#store.catalog.node(this.#identity.node)!;
  }

  #requireService(id: string): void {
    if (this.service(id)) return;
    const text = `Unknown service ID ${JSON.stringify(id)}. Ensure that the service ID is passed, not the service name.`;
    throw new HttpError(404, text);
  }

  #requireCheck(id: string): void {
    if (this.#specs.has(id) && this.#record(id)) return;
    const text = `Unknown check ID ${JSON.stringify(id)}. Ensure that the check ID is passed, not the check name.`;
    throw new HttpError(404, text);
  }

  #refuseScripts(checks: readonly CheckSpec[]): void {
    if (!checks.some((check) => check.other === 'script' || check.other === 'docker')) return;
    throw new HttpError(
      500,
      "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
    );
  }

  #newCheck(id: string, check: Partial<CheckRecord>): Fresh<CheckRecord> {
    return {
      ...{ Node: this.#identity.node, CheckID: id, Name: '', Status: 'critical', Notes: '', Output: '' },
      ...{ ServiceID: '', ServiceName: '', ServiceTags: null, Type: '', Interval: '', Timeout: '' },
      ...check,
    };
  }
}

function described(check: CheckSpec): Partial<CheckRecord> {
  return {
    Name: check.name,
    Notes: check.notes,
    Type: checkType(check),
    Interval: check.intervalMs > 0 ? formatGoDuration(check.intervalMs) : '',
    Timeout: check.timeoutMs > 0 ? formatGoDuration(check.timeoutMs) : '',
  };
}

function notRunNote(check: CheckSpec): string {
  return check.other === '' ? '' : `Upsync's embedded registry does not run ${check.other} checks`;
}

function defaultCheckId(serviceId: string, at: number, count: number): string {
  return count > 1 ? `service:${serviceId}:${at + 1}` : `service:${serviceId}`;
}
