import type { Identity } from './identity.ts';
import { HttpError } from './http/errors.ts';
import { Fields, parseBody } from './http/fields.ts';
import type { Catalog, Registration } from './store/catalog.ts';
import type { CheckRecord, Fresh, ServiceRecord, TaggedAddress } from './store/records.ts';

// Members that Consul knows and this registry has no use for; naming them keeps "unknown field" true for the rest.
const IGNORED = ['Locality', 'PeerName', 'Token', 'CreateIndex', 'ModifyIndex'];
const REGISTRATION = [
  ...['Datacenter', 'ID', 'Node', 'Address', 'TaggedAddresses', 'NodeMeta', 'Service', 'Check', 'Checks'],
  ...['SkipNodeUpdate', 'WriteRequest'],
];
const SERVICE = [
  ...['Kind', 'ID', 'Service', 'Tags', 'Address', 'TaggedAddresses', 'Meta', 'Port', 'SocketPath', 'Weights'],
  ...['EnableTagOverride', 'Proxy', 'Connect'],
];
const CHECK = [
  ...[
    'Node',
    'CheckID',
    'Name',
    'Status',
    'Notes',
    'Output',
    'ServiceID',
    'ServiceName',
    'ServiceTags',
    'Type',
  ],
  ...['Interval', 'Timeout', 'ExposedPort', 'Definition'],
];
const DEREGISTRATION = ['Datacenter', 'Node', 'ServiceID', 'CheckID', 'WriteRequest'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Reads the body of `/v1/catalog/register`.
 * @throws {HttpError} 400 when it does not decode, 500 when it breaks a rule of the catalog: Consul's own split.
 */
export function decodeRegistration(text: string, identity: Identity, catalog: Catalog): Registration {
  const fields = new Fields(parseBody(text), [...REGISTRATION, ...IGNORED]);
  requireDatacenter(fields, identity.datacenter);
  if (fields.string('PeerName') !== '') throw refused('cannot register requests with PeerName in them');
  const name = fields.string('Node');
  if (name === '') throw refused('Must provide node');
  const id = fields.string('ID');
  if (id !== '' && !UUID.test(id))
    throw refused(
      `Bad node ID: ${id.length === 36 ? 'uuid is improperly formatted' : 'uuid string is wrong length'}`,
    );
  const address = fields.string('Address');
  const skipNodeUpdate = fields.boolean('SkipNodeUpdate');
  if (address === '' && !skipNodeUpdate) throw refused('Must provide address if SkipNodeUpdate is not set');
  const rawService = fields.raw('Service');
  const service = rawService === undefined ? undefined : decodeService(rawService, name);
  const rawChecks = [...fields.list('Checks'), ...(fields.has('Check') ? [fields.raw('Check')] : [])];
  const checks = rawChecks.map((raw) => decodeCheck(raw, name));
  for (const check of checks) {
    const isKnown =
      check.ServiceID === '' ||
      check.ServiceID === service?.ID ||
      catalog.service(name, check.ServiceID) !== undefined;
    if (!isKnown) throw refused(`Unknown service ID '${check.ServiceID}' for check ID '${check.CheckID}'`);
  }
  return {
    node: {
      ID: id,
      Node: name,
      Address: address,
      Datacenter: identity.datacenter,
      TaggedAddresses: fields.stringMap('TaggedAddresses'),
      Meta: fields.stringMap('NodeMeta'),
    },
    skipNodeUpdate,
    ...(service ? { service } : {}),
    checks,
  };
}

/** Reads the body of `/v1/catalog/deregister`: a service, else a check, else the whole node. */
export function decodeDeregistration(text: string, datacenter: string) {
  const fields = new Fields(parseBody(text), [...DEREGISTRATION, ...IGNORED]);
  requireDatacenter(fields, datacenter);
  const node = fields.string('Node');
  if (node === '') throw refused('Must provide node');
  return { node, service: fields.string('ServiceID'), check: fields.string('CheckID') };
}

function decodeService(raw: unknown, node: string): Fresh<ServiceRecord> {
  const fields = new Fields(raw, [...SERVICE, ...IGNORED]);
  if (fields.string('Kind') !== '')
    throw refused("Upsync's embedded registry has no service mesh: Kind must be empty");
  const name = fields.string('Service');
  const id = fields.string('ID') || name;
  if (id !== '' && name === '')
    throw refused('Must provide service name (Service.Service) when service ID is provided');
  const address = fields.string('Address');
  if (address === '0.0.0.0' || address === '::' || address === '[::]')
    throw refused('Invalid service address');
  return {
    Node: node,
    ID: id,
    Service: name,
    Tags: fields.strings('Tags'),
    Address: address,
    TaggedAddresses: decodeTaggedAddresses(fields.raw('TaggedAddresses')),
    Meta: fields.stringMap('Meta'),
    Port: fields.integer('Port'),
    SocketPath: fields.string('SocketPath'),
    Weights: decodeWeights(fields.raw('Weights')) ?? { Passing: 1, Warning: 1 },
    EnableTagOverride: fields.boolean('EnableTagOverride'),
  };
}

function decodeCheck(raw: unknown, node: string): Fresh<CheckRecord> {
  const fields = new Fields(raw, [...CHECK, ...IGNORED]);
  const own = fields.string('Node') || node;
  const id = fields.string('CheckID') || fields.string('Name');
  if (own.toLowerCase() !== node.toLowerCase())
    throw refused(`Node '${own}' for check '${id}' doesn't match register request node '${node}'`);
  return {
    Node: node,
    CheckID: id,
    Name: fields.string('Name'),
    Status: fields.string('Status') || 'critical',
    Notes: fields.string('Notes'),
    Output: fields.string('Output'),
    ServiceID: fields.string('ServiceID'),
    ServiceName: fields.string('ServiceName'),
    ServiceTags: fields.strings('ServiceTags'),
    Type: fields.string('Type'),
    Interval: fields.string('Interval'),
    Timeout: fields.string('Timeout'),
  };
}

/** Reads `Weights`, or undefined when there is none. */
export function decodeWeights(raw: unknown): ServiceRecord['Weights'] | undefined {
  if (raw === undefined) return undefined;
  const fields = new Fields(raw, ['Passing', 'Warning']);
  return { Passing: fields.integer('Passing'), Warning: fields.integer('Warning') };
}

/** Reads `TaggedAddresses` of a service: names to `{Address, Port}`. */
export function decodeTaggedAddresses(raw: unknown): Record<string, TaggedAddress> | null {
  if (raw === undefined) return null;
  const names = new Fields(raw, Object.keys(raw ?? {}));
  const addresses = Object.keys(raw as object).map((name): [string, TaggedAddress] => {
    const fields = new Fields(names.raw(name), ['Address', 'Port']);
    return [name, { Address: fields.string('Address'), Port: fields.integer('Port') }];
  });
  return addresses.length === 0 ? null : Object.fromEntries(addresses);
}

function requireDatacenter(fields: Fields, datacenter: string): void {
  const asked = fields.string('Datacenter');
  if (asked !== '' && asked !== datacenter) throw refused('No path to datacenter');
}

function refused(text: string): HttpError {
  return new HttpError(500, text);
}
