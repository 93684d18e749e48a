import type { Catalog } from './store/catalog.ts';
import type { CheckRecord, NodeRecord, ServiceRecord } from './store/records.ts';

/** Members Consul always shows for a service outside its mesh. */
const NO_PROXY = { Mode: '', MeshGateway: {}, Expose: {} };

/** An instance as the health and node endpoints show it. */
export function serviceView(service: ServiceRecord) {
  return {
    ID: service.ID,
    Service: service.Service,
    Tags: service.Tags ?? [],
    Address: service.Address,
    TaggedAddresses: service.TaggedAddresses ?? undefined,
    Meta: service.Meta,
    Port: service.Port === 0 ? undefined : service.Port,
    SocketPath: service.SocketPath || undefined,
    Weights: service.Weights,
    EnableTagOverride: service.EnableTagOverride,
    Proxy: NO_PROXY,
    Connect: {},
    PeerName: '',
    CreateIndex: service.CreateIndex,
    ModifyIndex: service.ModifyIndex,
  };
}

/** A check as every endpoint shows it. */
export function checkView(check: CheckRecord) {
  const { CreateIndex, ModifyIndex, ...rest } = check;
  return {
    ...rest,
    ServiceTags: check.ServiceTags ?? [],
    ExposedPort: 0,
    Definition: {},
    CreateIndex,
    ModifyIndex,
  };
}

/** An instance with its node, as `/v1/catalog/service/` shows it. */
export function catalogServiceView(node: NodeRecord, service: ServiceRecord) {
  return {
    ID: node.ID,
    Node: service.Node,
    Address: node.Address,
    Datacenter: node.Datacenter,
    TaggedAddresses: node.TaggedAddresses,
    NodeMeta: node.Meta,
    ServiceKind: '',
    ServiceID: service.ID,
    ServiceName: service.Service,
    ServiceTags: service.Tags ?? [],
    ServiceAddress: service.Address,
    ServiceTaggedAddresses: service.TaggedAddresses ?? undefined,
    ServiceWeights: service.Weights,
    ServiceMeta: service.Meta ?? {},
    ServicePort: service.Port,
    ServiceSocketPath: service.SocketPath,
    ServiceEnableTagOverride: service.EnableTagOverride,
    ServiceProxy: NO_PROXY,
    ServiceConnect: {},
    ServiceLocality: null,
    CreateIndex: service.CreateIndex,
    ModifyIndex: service.ModifyIndex,
  };
}

/** Node, instance and checks together, as `/v1/health/service/` shows them. */
export function healthView(catalog: Catalog, service: ServiceRecord) {
  return {
    Node: catalog.node(service.Node)!,
    Service: serviceView(service),
    Checks: catalog.checksOfInstance(service).map(checkView),
  };
}

/** An instance as the agent endpoints show it. */
export function agentServiceView(service: ServiceRecord, datacenter: string) {
  return {
    ID: service.ID,
    Service: service.Service,
    Tags: service.Tags ?? [],
    Meta: service.Meta ?? {},
    Port: service.Port,
    Address: service.Address,
    SocketPath: service.SocketPath || undefined,
    TaggedAddresses: service.TaggedAddresses ?? undefined,
    Weights: service.Weights,
    EnableTagOverride: service.EnableTagOverride,
    Datacenter: datacenter,
  };
}

const TEXT = '';
const MAP = { '*': TEXT };
const ADDRESSES = { '*': { Address: TEXT, Port: 0 } };
const NODE_SHAPE = { ID: TEXT, Node: TEXT, Address: TEXT, Datacenter: TEXT, TaggedAddresses: MAP, Meta: MAP };
const SERVICE_SHAPE = {
  ID: TEXT,
  Service: TEXT,
  Tags: [TEXT],
  Address: TEXT,
  TaggedAddresses: ADDRESSES,
  Meta: MAP,
  Port: 0,
  SocketPath: TEXT,
  Weights: { Passing: 0, Warning: 0 },
  EnableTagOverride: false,
};
const CHECK_SHAPE = {
  Node: TEXT,
  CheckID: TEXT,
  Name: TEXT,
  Status: TEXT,
  Notes: TEXT,
  Output: TEXT,
  ServiceID: TEXT,
  ServiceName: TEXT,
  ServiceTags: [TEXT],
  Type: TEXT,
  Interval: TEXT,
  Timeout: TEXT,
};

/** What a `filter=` expression may name, for each kind of reply; see `compileFilter`. */
export const SHAPES = {
  node: NODE_SHAPE,
  check: CHECK_SHAPE,
  agentService: SERVICE_SHAPE,
  health: { Node: NODE_SHAPE, Service: SERVICE_SHAPE, Checks: [CHECK_SHAPE] },
  catalogService: {
    ID: TEXT,
    Node: TEXT,
    Address: TEXT,
    Datacenter: TEXT,
    TaggedAddresses: MAP,
    NodeMeta: MAP,
    ServiceKind: TEXT,
    ServiceID: TEXT,
    ServiceName: TEXT,
    ServiceTags: [TEXT],
    ServiceAddress: TEXT,
    ServiceTaggedAddresses: ADDRESSES,
    ServiceWeights: { Passing: 0, Warning: 0 },
    ServiceMeta: MAP,
    ServicePort: 0,
    ServiceSocketPath: TEXT,
    ServiceEnableTagOverride: false,
  },
};
