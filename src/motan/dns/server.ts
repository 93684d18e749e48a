import type { DnsServer, DnsServerOptions } from './options.ts';

export { DNS_DEFAULTS, type DnsServer, type DnsServerOptions, type DnsStats } from './options.ts';

/**
 * Serves names over DNS, for everything that can only speak DNS: `rs.a.6379` and `rs.a.6379.idc.local`, types A, AAAA and SRV,
 * over UDP and TCP.
 *
 * ```ts
 * const dns = await createDnsServer({ resolver, listen: { port: 8600 } });
 * // dig @127.0.0.1 -p 8600 rs.a.6379.idc.local SRV
 * ```
 * @throws {UpsyncError} BAD_SUFFIX, BAD_FORWARDER; what `listen` throws when the address is taken.
 */
export async function createDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  // Loaded when it is used: a program that only resolves names does not pay for a DNS server.
  const { openDnsServer } = await import('./open-server.ts');
  return openDnsServer(options);
}
