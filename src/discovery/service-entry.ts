import { formatAddress } from '../upstream/address.ts';
import { readTagAttributes } from '../upstream/attributes-tags.ts';
import { MAX_WEIGHT } from '../upstream/server-type.ts';
import { createServer, SERVER_DEFAULTS } from '../upstream/server.ts';
import { addressProblem, type ReadEntry } from './entry-address.ts';

/** One instance of a Consul service, its fields picked out and not yet checked. */
export interface ServiceFields {
  /** For reports: the service id and its node. */
  readonly where: string;
  /** The service's own address; the node's takes its place when it is missing or empty. */
  readonly address: unknown;
  readonly nodeAddress: unknown;
  readonly port: unknown;
  /** Path of a unix socket, for services that listen on one. */
  readonly socketPath: unknown;
  readonly tags: unknown;
  /** Consul's own weight for the instance's state, or undefined when it is not to be used. */
  readonly weight: unknown;
  /** What its health checks say. */
  readonly down: boolean;
}

/**
 * Reads an instance as a server: address and port from the registration, attributes from its tags, `down` also when a check
 * does not pass. Source: nginx-upsync-module, `ngx_http_upsync_consul_services_parse_json`.
 */
export function readServiceEntry(fields: ServiceFields): ReadEntry {
  const { where } = fields;
  const address = serviceAddress(fields);
  if (address === undefined)
    return refused(where, 'NO_ADDRESS', 'the instance has no address or no port from 1 to 65535');
  const problem = addressProblem(address, where);
  if (problem) return { server: undefined, rejected: [problem] };
  const weight = consulWeight(fields.weight);
  const { attributes, problems } = readTagAttributes(fields.tags, where, {
    ...SERVER_DEFAULTS,
    weight: weight === undefined || weight === 0 ? SERVER_DEFAULTS.weight : weight,
  });
  const down = attributes.down || fields.down || weight === 0;
  return { server: createServer(address, { ...attributes, down }), rejected: problems };
}

function serviceAddress({ address, nodeAddress, port, socketPath }: ServiceFields): string | undefined {
  const number = typeof port === 'number' ? Math.trunc(port) : 0;
  if (number === 0 && typeof socketPath === 'string' && socketPath !== '') return `unix:${socketPath}`;
  const host = isText(address) ? address : isText(nodeAddress) ? nodeAddress : undefined;
  if (host === undefined || number < 1 || number > 65_535) return undefined;
  return formatAddress(host, number);
}

/** A weight of 0 means in Consul that the instance gets nothing in this state. */
function consulWeight(weight: unknown): number | undefined {
  if (typeof weight !== 'number' || !(weight >= 0)) return undefined;
  return Math.min(Math.trunc(weight), MAX_WEIGHT);
}

function refused(where: string, code: string, reason: string): ReadEntry {
  return { server: undefined, rejected: [{ where, code, reason }] };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
