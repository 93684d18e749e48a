import { lookup } from 'node:dns';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import type { Resolver } from '../resolution.ts';
import { candidates, standby } from './choose.ts';
import { isReachable, PROBE_MS } from './connect.ts';

export interface ClusterLookupOptions {
  /** How long a name that nobody asked for before may take. Milliseconds. @default 5000 */
  readonly timeoutMs?: number;
  /** @default Math.random */
  readonly random?: () => number;
}

/** What ioredis takes as `dnsLookup` of a cluster. */
export type ClusterLookup = (
  hostname: string,
  callback: (error: NodeJS.ErrnoException | null, address: string, family?: number) => void,
) => void;

/** Servers tried at most before a lookup fails; ioredis then asks again. */
const TRIES = 5;

/**
 * Lets an ioredis cluster client start from a name: each time it looks for its cluster anew it is sent to a server of the name that
 * takes connections, in the IDC the ranking says. Hosts that are no names go to the system's resolver.
 *
 * ```ts
 * const start = [{ host: 'rc.a.7000', port: 7000 }];
 * const cluster = new Redis.Cluster(start, { dnsLookup: clusterLookup(resolver) });
 * ```
 *
 * `followCluster` makes it look anew when traffic is switched.
 */
export function clusterLookup(resolver: Resolver, options: ClusterLookupOptions = {}): ClusterLookup {
  const { timeoutMs = 5000, random = Math.random } = options;
  const find = async (name: string): Promise<string> => {
    const resolution = await resolver.ready(name, { timeoutMs });
    const servers = [...candidates(resolution, 'reader', random), ...standby(resolution)].slice(0, TRIES);
    for (const server of servers) if (await isReachable(server, PROBE_MS)) return server.host;
    throw new UpsyncError('NO_SERVER', `no server of ${name} takes connections`);
  };
  return (hostname, callback) => {
    // No host of the world has a number as its last label.
    if (!/\.\d+$/.test(hostname)) return lookup(hostname, callback);
    find(hostname).then(
      (host) => callback(null, host, host.includes(':') ? 6 : 4),
      (error: unknown) =>
        callback(Object.assign(new Error(errorText(error), { cause: error }), { code: 'ENOTFOUND' }), ''),
    );
  };
}
