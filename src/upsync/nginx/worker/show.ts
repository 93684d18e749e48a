import type { Server } from '../../../upstream/server-type.ts';
import { type ShownUpstream, shown } from './boot.ts';
import { numberAt, textAt } from './dictionary.ts';
import { type WorkerServer, readServers } from './list.ts';
import type { Upstream } from './upstream.ts';
import { listKey } from './upstreams.ts';

/**
 * A script that writes to the registry and asks right away expects to see its change, as with nginx-upsync-module, where
 * the registry's answer to the worker was already on its way. This is the time the change has to arrive. Seconds.
 */
const SETTLE_SECONDS = 0.04;

/** Answers `upstream_show`. Source: nginx-upsync-module, upsync_show(); upsync-semantics 6.1. */
export function show(): void {
  const method = ngx.req.get_method();
  if (method !== 'GET' && method !== 'HEAD') return ngx.exit(405);
  ngx.req.discard_body();
  ngx.sleep(SETTLE_SECONDS);
  const text = answer(ngx.var.args ?? '');
  ngx.header['Content-Type'] = 'text/plain';
  if (method === 'HEAD') return;
  ngx.header['Content-Length'] = text.length;
  ngx.print(text);
}

function answer(query: string): string {
  if (query === '') return answerAll();
  const wanted = string.lower(query);
  for (const entry of shown) if (string.lower(entry.name) === wanted) return block(entry);
  return 'The upstream you requested does not exist. Please double-check the name';
}

function answerAll(): string {
  if (shown.length === 0) return 'No upstreams defined';
  const blocks: string[] = [];
  for (const entry of shown) blocks.push(`${block(entry)}\n`);
  return table.concat(blocks);
}

function block(entry: ShownUpstream): string {
  const lines = entry.upstream === undefined ? entry.lines : serverLines(entry.upstream);
  const parts = [`Upstream name: ${entry.name}; Backend server count: ${lines.length}\n`];
  for (const line of lines) parts.push(`        ${line}\n`);
  return table.concat(parts);
}

/** Primaries first, then backups, each in the list's order. */
function serverLines(upstream: Upstream): string[] {
  const servers = newest(upstream);
  const lines: string[] = [];
  for (const server of servers) if (!server.backup) lines.push(serverLine(server));
  for (const server of servers) if (server.backup) lines.push(serverLine(server));
  return lines;
}

/** From the dictionary, so that every worker gives the same answer. */
function newest(upstream: Upstream): Server[] {
  const version = numberAt(upstream.versionKey);
  const text = version === 0 ? undefined : textAt(listKey(upstream.name, version));
  if (text !== undefined) return readServers(text, upstream.known, {});
  const servers: WorkerServer[] = [];
  for (const peer of upstream.balancer.peers) servers.push(peer.server as WorkerServer);
  return servers;
}

/** As `formatServerLine` of src/upstream/server-line.ts. */
function serverLine(server: Server): string {
  const timeout = math.ceil(server.failTimeoutMs / 1000);
  let line = string.format(
    'server %s weight=%d max_fails=%d fail_timeout=%ds',
    server.address,
    server.weight,
    server.maxFails,
    timeout,
  );
  if (server.down) line = `${line} down`;
  if (server.backup) line = `${line} backup`;
  if (server.maxConns > 0) line = `${line} max_conns=${string.format('%d', server.maxConns)}`;
  if (server.slowStartMs > 0) line = `${line} slow_start=${duration(server.slowStartMs)}`;
  if (server.drain) line = `${line} drain`;
  return `${line};`;
}

function duration(ms: number): string {
  if (ms % 86_400_000 === 0 && ms >= 172_800_000) return string.format('%dd', ms / 86_400_000);
  if (ms % 3_600_000 === 0 && ms >= 7_200_000) return string.format('%dh', ms / 3_600_000);
  if (ms % 60_000 === 0 && ms >= 120_000) return string.format('%dm', ms / 60_000);
  return ms % 1000 === 0 ? string.format('%ds', ms / 1000) : string.format('%dms', ms);
}
