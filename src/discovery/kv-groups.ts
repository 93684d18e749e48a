import { decodeComponent, joinQuery, parseRequestPath } from './request-path.ts';
import type { SourceOptions } from './source.ts';

const KV_ROOT = '/v1/kv/';

/** Consul KV upstreams that one poll can serve. */
export interface KvGroup {
  readonly members: readonly SourceOptions[];
  /** Options of the shared poll: the members' own, with the path of the prefix they share. */
  readonly shared: SourceOptions;
}

/**
 * Puts upstreams together that ask the same registry in the same way and whose prefixes lie in the same folder. Prefixes at
 * the very top of the store stay alone, since their common folder would be the whole store.
 * @throws {SourceError} SOURCE_BAD_OPTIONS when a path cannot be one.
 */
export function groupKvUpstreams(all: readonly SourceOptions[]): readonly KvGroup[] {
  const groups = new Map<string, SourceOptions[]>();
  for (const [at, options] of all.entries()) {
    const { root, prefix } = splitKvPath(options);
    const folder = parentFolder(prefix);
    const key = folder === '' ? `alone ${at}` : sharingKey(options, root + folder);
    const group = groups.get(key);
    if (group) group.push(options);
    else groups.set(key, [options]);
  }
  return [...groups.values()].map((members) => ({ members, shared: sharedOptions(members) }));
}

/** A path of the KV store, taken apart: what stands before the prefix (`/v1/kv/`), and the prefix as Consul sees it. */
export function splitKvPath(options: SourceOptions): { readonly root: string; readonly prefix: string } {
  const { path } = parseRequestPath(options.path);
  // Something may stand before it when Consul is reached through a proxy.
  const end = path.indexOf(KV_ROOT) + KV_ROOT.length;
  if (end < KV_ROOT.length) return { root: path, prefix: '' };
  return { root: path.slice(0, end), prefix: decodeComponent(path.slice(end)) };
}

/** `upstreams/` for `upstreams/test` and `upstreams/test/`; empty at the top. */
function parentFolder(prefix: string): string {
  return prefix.slice(0, prefix.lastIndexOf('/', prefix.length - 2) + 1);
}

function sharingKey(options: SourceOptions, folder: string): string {
  const { addresses, token, tokenFile, tls, dc, consistency } = options;
  const typed = parseRequestPath(options.path);
  const who = [addresses, token ?? typed.token, tokenFile, tls];
  return JSON.stringify([folder, [...typed.query].sort(), who, dc, consistency]);
}

function sharedOptions(members: readonly SourceOptions[]): SourceOptions {
  const first = members[0]!;
  if (members.length === 1) return first;
  const { query, token } = parseRequestPath(first.path);
  const prefix = commonPrefix(members.map((member) => splitKvPath(member).prefix));
  const path = splitKvPath(first).root + prefix.split('/').map(encodeURIComponent).join('/');
  return {
    ...first,
    ...(first.token === undefined && token !== undefined ? { token } : {}),
    path: joinQuery(path, query),
    intervalMs: Math.min(...members.map((member) => member.intervalMs)),
    timeoutMs: Math.min(...members.map((member) => member.timeoutMs)),
  };
}

/** The longest text all begin with, not cut inside a character. */
function commonPrefix(texts: readonly string[]): string {
  let prefix = texts[0]!;
  for (const text of texts) while (!text.startsWith(prefix)) prefix = prefix.slice(0, -1);
  return /[\ud800-\udbff]$/.test(prefix) ? prefix.slice(0, -1) : prefix;
}
