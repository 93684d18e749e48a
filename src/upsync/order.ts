import type { Method } from '../balancer/balancer.ts';
import type { Server } from '../upstream/server.ts';

const HASHED: ReadonlySet<Method> = new Set(['ip_hash', 'hash', 'hash_consistent', 'bounded_hash']);

/**
 * Puts a registry's list into the order in which it is used, shown and dumped. Pure.
 *
 * In general the newest come first: servers that stay keep their places, new ones go before them, and several new ones
 * stand in reverse of the registry's order. A change of attributes moves nothing.
 *
 * Where the choice depends on places (the hash methods) the list is sorted by address instead, so that two nginx hosts with
 * the same list map every key alike whatever they went through.
 *
 * Source: nginx-upsync-module prepends each new peer to its list (ngx_http_upsync_add_peers); its hash order depends on
 * each host's own history, and there we differ.
 */
export function orderServers(
  current: readonly Server[],
  wanted: readonly Server[],
  method: Method,
): readonly Server[] {
  if (HASHED.has(method))
    return [...wanted].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  const left = new Map(wanted.map((server) => [server.address, server]));
  const staying: Server[] = [];
  for (const { address } of current) {
    const server = left.get(address);
    if (server === undefined) continue;
    staying.push(server);
    left.delete(address);
  }
  return [...[...left.values()].reverse(), ...staying];
}
