import { formatAddress } from '../upstream/address.ts';
import { UpsyncError } from '../upstream/errors.ts';
import { createMotanUrl, formatUrlTag, type MotanUrl, motanParameter, readUrlTag } from './url.ts';

/** A service entry of Consul, as far as Motan cares. Keys may come in any case: other clients write them in lower case. */
export interface ConsulServiceEntry {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly tags: readonly string[];
}

/** What is sent to register a provider, with Motan's keys in Motan's order. */
export interface RegistrationBody {
  readonly ID: string;
  readonly Name: string;
  readonly Tags: readonly string[];
  readonly Address: string;
  readonly Port: number;
  readonly Check: { readonly TTL: string };
}

const NAME_PREFIX = 'motanrpc_';
const COMMAND_PREFIX = 'motan/command/';
/** Motan's own time to live of a provider's check, in seconds. */
export const MOTAN_TTL_SECONDS = 30;

/** Consul service of a Motan group: one service holds all interfaces of the group. */
export function serviceNameOf(group: string): string {
  return NAME_PREFIX + group;
}

/** Motan group of a Consul service; a name without the prefix is taken as it is. */
export function groupOf(serviceName: string): string {
  return serviceName.startsWith(NAME_PREFIX) ? serviceName.slice(NAME_PREFIX.length) : serviceName;
}

/** KV key of a group's commands. */
export function commandKeyOf(group: string): string {
  return COMMAND_PREFIX + serviceNameOf(group);
}

/**
 * Consul service id of a provider. It holds neither group nor protocol: the same interface on one host and port in two
 * groups is one entry, and the later registration wins. That is Motan's rule.
 */
export function serviceIdOf(url: MotanUrl): string {
  return `${url.host}:${url.port}-${url.path}`;
}

/** The check that a provider's heartbeats feed. */
export function checkIdOf(serviceId: string): string {
  return `service:${serviceId}`;
}

/** The body Motan would send to register this provider. Serialised as JSON it is byte for byte the same. */
export function registrationBody(url: MotanUrl, ttlSeconds: number = MOTAN_TTL_SECONDS): RegistrationBody {
  if (url.host === '' || url.port === 0 || url.path === '')
    throw new UpsyncError(
      'BAD_MOTAN_URL',
      'a provider needs a host, a port and an interface path to be registered',
    );
  return {
    ID: serviceIdOf(url),
    Name: serviceNameOf(motanParameter(url, 'group')),
    Tags: [`protocol_${url.protocol}`, formatUrlTag(url)],
    Address: url.host,
    Port: url.port,
    Check: { TTL: `${ttlSeconds}s` },
  };
}

/**
 * The provider behind a service entry: its `URL_` tag, whose host and port win over the entry's; without one, what id, name,
 * tags, address and port tell.
 * @throws {UpsyncError} BAD_MOTAN_URL, BAD_FORM_ENCODING when the entry describes no reachable provider.
 */
export function readProviderUrl(entry: ConsulServiceEntry): MotanUrl {
  const tagged = readUrlTag(entry.tags);
  const dash = entry.id.indexOf('-');
  const underscore = entry.tags[0]?.indexOf('_') ?? -1;
  const url =
    tagged ??
    createMotanUrl(
      underscore < 0 ? 'motan' : entry.tags[0]!.slice(underscore + 1),
      entry.address,
      entry.port,
      dash < 0 ? '' : entry.id.slice(dash + 1),
      { group: groupOf(entry.name), nodeType: 'service' },
    );
  if (url.host === '' || url.port === 0)
    throw new UpsyncError(
      'BAD_MOTAN_URL',
      `provider ${formatAddress(url.host, url.port)} has no usable address`,
    );
  return url;
}
