import type { IncomingHttpHeaders } from 'node:http';
import { badRequest } from './errors.ts';

/** Routes that take no notice of namespace and partition, and those that know partitions only. */
const NEITHER: ReadonlySet<string> = new Set([
  ...['/', '/v1/status/leader', '/v1/status/peers', '/v1/catalog/datacenters'],
  ...['/v1/agent/self', '/v1/agent/version', '/v1/agent/maintenance'],
]);
const NO_NAMESPACE: ReadonlySet<string> = new Set(['/v1/catalog/nodes', '/v1/agent/members']);
const KINDS = [
  { parameter: 'ns', header: 'X-Consul-Namespace', what: 'Namespaces' },
  { parameter: 'partition', header: 'X-Consul-Partition', what: 'Partitions' },
];

/**
 * Consul without an Enterprise licence refuses a namespace or a partition instead of reading from the only one it has.
 * @throws {HttpError} 400 in Consul's words.
 */
export function refuseTenancy(route: string, query: URLSearchParams, headers: IncomingHttpHeaders): void {
  if (NEITHER.has(route)) return;
  for (const { parameter, header, what } of KINDS) {
    if (parameter === 'ns' && NO_NAMESPACE.has(route)) continue;
    const why = `${what} are a Consul Enterprise feature`;
    if (query.get(parameter)) throw badRequest(`Invalid query parameter: "${parameter}" - ${why}`);
    if (headers[header.toLowerCase()]) throw badRequest(`Invalid header: "${header}" - ${why}`);
  }
}
