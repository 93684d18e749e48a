import { isIPv4, isIPv6, type LookupFunction } from 'node:net';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import type { Resolver } from '../resolution.ts';
import { candidates, type ResourceRole } from './choose.ts';

export interface LookupOptions {
  /** @default 'reader' */
  readonly role?: ResourceRole;
  /** How long the first lookup of a name waits for the registry. Milliseconds. @default 5000 */
  readonly timeoutMs?: number;
  /** @default Math.random */
  readonly random?: () => number;
}

/**
 * A `lookup` for `net.connect`, `tls.connect`, `http.request` and every client that passes one on: host names are resolved to
 * the addresses of a name's servers, best first. Without a `name` the host name itself is the name. The port is the caller's:
 * that of the name, as its servers have it.
 *
 * ```ts
 * net.connect({ host: 'mysql.a.3306', port: 3306, lookup: createLookup(resolver) });
 * ```
 */
export function createLookup(resolver: Resolver, name?: string, options: LookupOptions = {}): LookupFunction {
  const { role = 'reader', timeoutMs = 5000, random = Math.random } = options;
  return (hostname, { family, all }, callback) => {
    const wanted = name ?? hostname;
    const fail = (error: unknown): void => {
      // The code is what callers of dns.lookup know.
      callback(
        Object.assign(new Error(errorText(error), { cause: error }), { code: 'ENOTFOUND', hostname }),
        '',
      );
    };
    const answer = async (): Promise<void> => {
      const resolution = await resolver.ready(wanted, { timeoutMs });
      const addresses = candidates(resolution, role, random)
        .map(({ host }) => ({ address: host, family: isIPv4(host) ? 4 : isIPv6(host) ? 6 : 0 }))
        .filter((one) => one.family !== 0 && (isAny(family) || familyNumber(family) === one.family));
      const [first] = addresses;
      if (first === undefined)
        throw new UpsyncError('NO_SERVER', `${wanted} has no server that takes traffic`);
      if (all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    };
    answer().catch(fail);
  };
}

function isAny(family: number | 'IPv4' | 'IPv6' | undefined): boolean {
  return family === undefined || family === 0;
}

function familyNumber(family: number | 'IPv4' | 'IPv6' | undefined): number {
  return family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : Number(family);
}
