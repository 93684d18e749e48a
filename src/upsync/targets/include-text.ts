import type { Method } from '../../balancer/balancer.ts';
import type { Server } from '../../upstream/server.ts';

/** Methods with which nginx refuses `backup`. Source: nginx, ngx_http_upstream_module, "server". */
const NO_BACKUP: ReadonlySet<Method> = new Set([
  'ip_hash',
  'hash',
  'hash_consistent',
  'bounded_hash',
  'random',
  'random_two_least_conn',
]);

/**
 * The `server` lines of a list as stock nginx takes them. What its open-source edition lacks is mapped: `drain` becomes
 * `down`, `slow_start` is left out, and where the method knows no `backup` such servers stand by only when there is no
 * other. An empty list becomes one server that is down, since nginx refuses an upstream without servers. Pure.
 */
export function includeText(servers: readonly Server[], method: Method): string {
  const primaries = servers.filter((server) => !server.backup);
  const backups = servers.filter((server) => server.backup);
  const lines =
    primaries.length === 0
      ? backups.map((server) => line(server, false))
      : NO_BACKUP.has(method)
        ? primaries.map((server) => line(server, false))
        : servers.map((server) => line(server, server.backup));
  if (lines.length === 0) lines.push('server 127.0.0.1:1 down;');
  return `${lines.join('\n')}\n`;
}

function line(server: Server, backup: boolean): string {
  const words = [
    `server ${server.address} weight=${server.weight} max_fails=${server.maxFails}`,
    `fail_timeout=${Math.ceil(server.failTimeoutMs / 1000)}s`,
  ];
  if (server.down || server.drain) words.push('down');
  if (backup) words.push('backup');
  if (server.maxConns > 0) words.push(`max_conns=${server.maxConns}`);
  return `${words.join(' ')};`;
}
