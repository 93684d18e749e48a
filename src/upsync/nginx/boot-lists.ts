import { lookup as systemLookup } from 'node:dns/promises';
import { formatAddress } from '../../upstream/address.ts';
import { formatServerLine } from '../../upstream/server-line.ts';
import { createServer, type Server } from '../../upstream/server.ts';
import { expandNames, hostNames } from '../expand-names.ts';
import type { BootConfig, BootUpstream } from './boot.ts';
import type { ReadUpstream } from './translate-upstream.ts';
import type { PassTarget } from './upstream-order.ts';

/** All addresses of a host name in the order in which nginx would use them; rejects when there is none. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** nginx waits for a name as long as the resolver does; we must be listening within two seconds. Milliseconds. */
const LOOKUP_TIMEOUT_MS = 1000;

/** One upstream as found, before its host names are resolved. */
export interface FoundUpstream {
  readonly name: string;
  readonly block?: ReadUpstream;
  readonly pass?: PassTarget;
}

/**
 * What the workers start with and show, host names resolved once as nginx does at start. A name without an address leaves
 * its servers out and is reported; it stops nothing here.
 */
export async function bootLists(
  found: readonly FoundUpstream[],
  lookup: Lookup = lookupLikeNginx,
): Promise<{ readonly boot: BootConfig; readonly warnings: readonly string[] }> {
  const servers = found.flatMap(({ block }) => block?.servers ?? []);
  const passed = found.flatMap(({ block, pass }) => (!block && pass?.kind === 'name' ? [pass.host] : []));
  const addresses = await resolveAll([...new Set([...hostNames(servers), ...passed])], lookup);
  const warnings: string[] = [];
  const expand = (list: readonly Server[], where?: string): readonly Server[] => {
    const expanded = expandNames(list, (host) => addresses.get(host));
    if (where !== undefined)
      for (const host of expanded.missing)
        warnings.push(`"${host}" has no address yet, its servers join when it has in ${where}`);
    return expanded.servers;
  };
  const upstreams = found.map(({ name, block, pass }): BootUpstream => {
    if (block?.plan) {
      const { balancer } = block.plan;
      const { hashKey } = block.balancing;
      const list = expand(block.servers, block.plan.where);
      return { kind: 'upsync', name, balancer, ...(hashKey === undefined ? {} : { hashKey }), servers: list };
    }
    if (block) return { kind: 'plain', name, lines: plainLines(expand(block.servers)) };
    return { kind: 'plain', name, lines: pass ? passLines(pass, addresses) : [] };
  });
  return { boot: { upstreams }, warnings };
}

/** The same, with other lists to start with: the last good ones, by upstream. Host names in them must be resolved. */
export function withLists(boot: BootConfig, lists: ReadonlyMap<string, readonly Server[]>): BootConfig {
  return {
    ...boot,
    upstreams: boot.upstreams.map((upstream) => {
      const servers = upstream.kind === 'upsync' ? lists.get(upstream.name) : undefined;
      return servers === undefined || upstream.kind === 'plain' ? upstream : { ...upstream, servers };
    }),
  };
}

// nginx-upsync-module shows primaries only, and of each only these attributes.
function plainLines(servers: readonly Server[]): string[] {
  return servers
    .filter((server) => !server.backup)
    .map((server) => formatServerLine({ ...server, maxConns: 0, slowStartMs: 0, drain: false }));
}

// Peers that nginx makes of an IP literal carry no attributes at all; those of a name carry the defaults.
// Source: upsync-module's upstream_show on nginx 1.22.
function passLines(pass: PassTarget, addresses: ReadonlyMap<string, readonly string[]>): string[] {
  if (pass.kind === 'unix') return [`server unix:${pass.host} weight=0 max_fails=0 fail_timeout=0s;`];
  if (pass.kind === 'ip')
    return [`server ${formatAddress(pass.host, pass.port)} weight=0 max_fails=0 fail_timeout=0s;`];
  return (addresses.get(pass.host) ?? []).map((ip) =>
    formatServerLine(createServer(formatAddress(ip, pass.port), { maxFails: 1 })),
  );
}

async function resolveAll(hosts: readonly string[], lookup: Lookup): Promise<Map<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  if (hosts.length === 0) return found;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LOOKUP_TIMEOUT_MS);
  });
  const all = hosts.map(async (host) => {
    try {
      found.set(host, await lookup(host));
    } catch {
      // No address is an answer: the caller reports the name.
    }
  });
  await Promise.race([Promise.all(all), late]);
  clearTimeout(timer);
  return new Map(found);
}

// IPv4 first, then IPv6, each in the resolver's order. Source: nginx, ngx_inet_resolve_host().
async function lookupLikeNginx(host: string): Promise<readonly string[]> {
  const found = await systemLookup(host, { all: true, verbatim: true });
  return [...found].sort((a, b) => a.family - b.family).map(({ address }) => address);
}
