import { type CheckSpec, checkType } from './check-spec.ts';
import { decodeTaggedAddresses, decodeWeights } from './decode-catalog.ts';
import { badRequest } from './http/errors.ts';
import { Fields, parseBody } from './http/fields.ts';
import type { ServiceRecord } from './store/records.ts';

const SERVICE = [
  ...[
    'Kind',
    'ID',
    'Name',
    'Tags',
    'Address',
    'TaggedAddresses',
    'tagged_addresses',
    'Meta',
    'Port',
    'SocketPath',
  ],
  ...['Check', 'Checks', 'Weights', 'Token', 'EnableTagOverride', 'enable_tag_override', 'Locality', 'Proxy'],
  'Connect',
];
const CHECK = [
  ...[
    'ID',
    'CheckID',
    'Name',
    'Notes',
    'ServiceID',
    'service_id',
    'Token',
    'Status',
    'ScriptArgs',
    'script_args',
  ],
  ...[
    'Args',
    'HTTP',
    'H2PING',
    'H2PingUseTLS',
    'h2ping_use_tls',
    'Header',
    'Method',
    'Body',
    'DisableRedirects',
  ],
  ...[
    'disable_redirects',
    'TCP',
    'TCPUseTLS',
    'tcp_use_tls',
    'UDP',
    'Interval',
    'DockerContainerID',
    'Shell',
  ],
  ...['docker_container_id', 'GRPC', 'GRPCUseTLS', 'grpc_use_tls', 'OSService', 'TLSServerName', 'AliasNode'],
  ...[
    'tls_server_name',
    'TLSSkipVerify',
    'tls_skip_verify',
    'AliasService',
    'Timeout',
    'TTL',
    'OutputMaxSize',
  ],
  ...[
    'SuccessBeforePassing',
    'FailuresBeforeWarning',
    'FailuresBeforeCritical',
    'DeregisterCriticalServiceAfter',
  ],
  ...['deregister_critical_service_after', 'ProxyHTTP', 'ProxyGRPC'],
];
const STATUSES = ['passing', 'warning', 'critical'];
const META_KEY = /^[a-zA-Z0-9_-]+$/;

/** A service as a client hands it to the agent. */
export interface AgentService extends Omit<ServiceRecord, 'Node' | 'CreateIndex' | 'ModifyIndex'> {
  readonly checks: readonly CheckSpec[];
}

/**
 * Reads the body of `/v1/agent/service/register`.
 * @throws {HttpError} 400 in Consul's words.
 */
export function decodeAgentService(text: string): AgentService {
  const fields = new Fields(parseBody(text), SERVICE);
  const single = fields.has('Check') ? [decodeSpec(fields.raw('Check'))] : [];
  // A single check that says nothing counts as none; one of a list does not.
  const checks = [...single.filter((check) => !isNothing(check)), ...fields.list('Checks').map(decodeSpec)];
  const weights = decodeWeights(fields.raw('Weights'));
  const name = fields.string('Name');
  const port = fields.integer('Port');
  const address = fields.string('Address');
  const meta = fields.stringMap('Meta');
  const tagged =
    decodeTaggedAddresses(fields.raw('TaggedAddresses')) ??
    decodeTaggedAddresses(fields.raw('tagged_addresses'));
  if (name === '') throw badRequest('Missing service name');
  if (address === '0.0.0.0' || address === '::' || address === '[::]')
    throw badRequest('Invalid service address');
  if (fields.string('Kind') !== '' || !isEmpty(fields.raw('Connect')) || !isEmpty(fields.raw('Proxy')))
    throw badRequest("Upsync's embedded registry has no service mesh: Kind, Connect and Proxy must be empty");
  requireWeights(weights);
  requireMeta(meta);
  for (const check of checks) requireValid(check);
  if (checks.some((check) => check.status !== '' && !STATUSES.includes(check.status)))
    throw badRequest("Status for checks must 'passing', 'warning', 'critical'");
  return {
    ID: fields.string('ID') || name,
    Service: name,
    Tags: fields.strings('Tags'),
    Address: address,
    TaggedAddresses: withFamilies(tagged, address, port),
    Meta: meta,
    Port: port,
    SocketPath: fields.string('SocketPath'),
    Weights: weights ?? { Passing: 1, Warning: 1 },
    EnableTagOverride: fields.boolean('EnableTagOverride', 'enable_tag_override'),
    checks,
  };
}

/** Reads the body of `/v1/agent/check/register`. @throws {HttpError} 400 in Consul's words. */
export function decodeAgentCheck(text: string): CheckSpec {
  const check = decodeSpec(parseBody(text));
  if (check.name === '') throw badRequest('Missing check name');
  if (check.status !== '' && !STATUSES.includes(check.status)) throw badRequest('Bad check status');
  requireValid(check);
  return check;
}

/** Reads the body of `/v1/agent/check/update/`. */
export function decodeCheckUpdate(text: string): { status: string; output: string } {
  const fields = new Fields(parseBody(text), ['Status', 'Output']);
  const status = fields.string('Status');
  if (!STATUSES.includes(status)) throw badRequest(`Invalid check status: '${status}'`);
  return { status, output: fields.string('Output') };
}

function decodeSpec(raw: unknown): CheckSpec {
  const fields = new Fields(raw, CHECK);
  return {
    id: fields.string('CheckID', 'ID'),
    name: fields.string('Name'),
    notes: fields.string('Notes'),
    status: fields.string('Status'),
    serviceId: fields.string('ServiceID', 'service_id'),
    ttlMs: fields.durationMs('TTL'),
    intervalMs: fields.durationMs('Interval'),
    timeoutMs: fields.durationMs('Timeout'),
    deregisterAfterMs: fields.durationMs(
      'DeregisterCriticalServiceAfter',
      'deregister_critical_service_after',
    ),
    http: fields.string('HTTP'),
    method: fields.string('Method'),
    body: fields.string('Body'),
    header: decodeHeader(fields.raw('Header')),
    disableRedirects: fields.boolean('DisableRedirects', 'disable_redirects'),
    tcp: fields.string('TCP'),
    successBeforePassing: fields.integer('SuccessBeforePassing'),
    failuresBeforeWarning: fields.integer('FailuresBeforeWarning'),
    failuresBeforeCritical: fields.integer('FailuresBeforeCritical'),
    other: otherKind(fields),
  };
}

function otherKind(fields: Fields): CheckSpec['other'] {
  const args = [...fields.list('ScriptArgs'), ...fields.list('Args'), ...fields.list('script_args')];
  if (args.length > 0) return fields.string('DockerContainerID', 'docker_container_id') ? 'docker' : 'script';
  if (fields.string('GRPC')) return 'grpc';
  if (fields.string('UDP')) return 'udp';
  if (fields.string('H2PING')) return 'h2ping';
  if (fields.string('OSService')) return 'os_service';
  return fields.string('AliasNode') || fields.string('AliasService') ? 'alias' : '';
}

function decodeHeader(raw: unknown): Record<string, string[]> {
  if (raw === undefined) return {};
  const fields = new Fields(raw, Object.keys(raw ?? {}));
  return Object.fromEntries(Object.keys(raw as object).map((name) => [name, fields.strings(name) ?? []]));
}

function requireValid(check: CheckSpec): void {
  const type = checkType(check);
  const needsInterval = type !== '' && type !== 'ttl' && type !== 'alias';
  const fail = (reason: string) => badRequest(`Invalid check: ${reason}`);
  if (check.intervalMs > 0 && check.ttlMs > 0) throw fail('Interval and TTL cannot both be specified');
  if (needsInterval && check.intervalMs <= 0)
    throw fail('Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks');
  if (type === '' && check.ttlMs <= 0) throw fail('TTL must be > 0 for TTL checks');
  if (check.failuresBeforeWarning > check.failuresBeforeCritical)
    throw fail("FailuresBeforeWarning can't be higher than FailuresBeforeCritical");
}

function requireWeights(weights: ServiceRecord['Weights'] | undefined): void {
  if (!weights) return;
  const fail = (reason: string) => badRequest(`Invalid Weights: ${reason}`);
  if (weights.Passing < 1) throw fail('Passing must be greater than 0');
  if (weights.Warning < 0) throw fail('Warning must be greater or equal than 0');
  if (weights.Passing > 65535 || weights.Warning > 65535)
    throw fail('DNS Weight must be between 0 and 65535');
}

function requireMeta(meta: Record<string, string> | null): void {
  const pairs = Object.entries(meta ?? {});
  const fail = (reason: string) => badRequest(`Invalid Service Meta: ${reason}`);
  if (pairs.length > 64) throw fail('Node metadata cannot contain more than 64 key/value pairs');
  for (const [key, value] of pairs) {
    const reason =
      key === ''
        ? 'Key cannot be blank'
        : !META_KEY.test(key)
          ? 'Key contains invalid characters'
          : key.length > 128
            ? 'Key is too long (limit: 128 characters)'
            : key.startsWith('consul-')
              ? "Key prefix 'consul-' is reserved for internal use"
              : value.length > 512
                ? 'Value is too long (limit: 512 characters)'
                : '';
    if (reason) throw fail(`Couldn't load metadata pair ('${key}', '${value}'): ${reason}`);
  }
}

// The agent fills in the addresses by family, as Consul's does.
function withFamilies(given: ServiceRecord['TaggedAddresses'], address: string, port: number) {
  const family = /^\d+(\.\d+){3}$/.test(address) ? 'ipv4' : address.includes(':') ? 'ipv6' : undefined;
  if (family === undefined) return given;
  const own = { Address: address, Port: port };
  return { [`lan_${family}`]: own, [`wan_${family}`]: own, ...given };
}

function isNothing(check: CheckSpec): boolean {
  const nothing = decodeSpec({});
  return Object.entries(nothing).every(
    ([name, value]) => JSON.stringify(check[name as keyof CheckSpec]) === JSON.stringify(value),
  );
}

function isEmpty(raw: unknown): boolean {
  if (raw === undefined || raw === null) return true;
  return typeof raw === 'object' && !Array.isArray(raw) && Object.keys(raw).length === 0;
}
