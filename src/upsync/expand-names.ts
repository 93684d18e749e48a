import { formatAddress, parseAddress } from '../upstream/address.ts';
import type { Server } from '../upstream/server.ts';

const PLAIN_IP = /^(\d[\d.]*:\d+$|\[|unix:)/;

/** A list whose host names were replaced. */
export interface ExpandedList {
  readonly servers: readonly Server[];
  /** Host names that have no address yet; their servers are left out. */
  readonly missing: readonly string[];
}

/** The host names among the addresses of a list, each once. Pure. */
export function hostNames(servers: readonly Server[]): readonly string[] {
  const names = new Set<string>();
  for (const { address } of servers) {
    // Most lists hold IP addresses only: look closer only at the rest.
    if (PLAIN_IP.test(address)) continue;
    const parsed = parseAddress(address);
    if (parsed.kind === 'name') names.add(parsed.host);
  }
  return [...names];
}

/**
 * Replaces each `name:port` by one server per address of the name, all with the attributes of the original. An address that
 * is in the list already, written out or through another name, stays once: the first one counts. Pure.
 */
export function expandNames(
  servers: readonly Server[],
  addressesOf: (host: string) => readonly string[] | undefined,
): ExpandedList {
  const written = new Set(servers.map((server) => server.address));
  const expanded = new Map<string, Server>();
  const missing = new Set<string>();
  for (const server of servers) {
    const parsed = parseAddress(server.address);
    if (parsed.kind !== 'name') {
      expanded.set(server.address, server);
      continue;
    }
    const addresses = addressesOf(parsed.host) ?? [];
    if (addresses.length === 0) missing.add(parsed.host);
    for (const ip of addresses) {
      const address = formatAddress(ip, parsed.port);
      if (written.has(address) || expanded.has(address)) continue;
      expanded.set(address, Object.freeze({ ...server, address }));
    }
  }
  return { servers: [...expanded.values()], missing: [...missing] };
}
