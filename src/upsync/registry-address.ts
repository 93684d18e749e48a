import { isIPv4, isIPv6 } from 'node:net';
import { isHostName } from '../upstream/address.ts';
import { UpsyncError } from '../upstream/errors.ts';

/** The first argument of an `upsync` directive, taken apart. */
export interface RegistryAddress {
  /** Base URLs in the order given: `http://127.0.0.1:8500`. At least one. */
  readonly addresses: readonly string[];
  /** From the first `/` on, the user's query included: `/v1/kv/upstreams/test`. */
  readonly path: string;
}

const DEFAULT_PORT: Readonly<Record<string, number>> = { http: 80, https: 443 };

/**
 * Reads `HOST[:PORT][,HOST[:PORT]…]/PATH`, each host with an optional `http://` or `https://`; a host without one takes
 * that of the host before it. IPv6 hosts stand in brackets. The port defaults to 80, or 443 with https.
 * @throws {UpsyncError} BAD_DIRECTIVE naming the part that is wrong.
 * Source: nginx-upsync-module README "upsync"; schemes, several hosts and IPv6 are additions.
 */
export function parseRegistryAddress(text: string): RegistryAddress {
  const addresses: string[] = [];
  let scheme = 'http';
  let rest = text;
  for (;;) {
    const prefix = /^([a-z][a-z0-9+.-]*):\/\//i.exec(rest);
    if (prefix) {
      scheme = prefix[1]!.toLowerCase();
      if (!(scheme in DEFAULT_PORT)) throw bad(`"${scheme}://" is not supported, use http:// or https://`);
      rest = rest.slice(prefix[0].length);
    }
    const end = rest.search(/[,/]/);
    if (end === -1) throw bad(`no path in ${shown(text)}: expected HOST[:PORT]/PATH`);
    addresses.push(`${scheme}://${hostAndPort(rest.slice(0, end), scheme, text)}`);
    const separator = rest[end];
    rest = rest.slice(end);
    if (separator === '/') break;
    rest = rest.slice(1);
  }

  if (/[\x00-\x20\x7f#]/.test(rest))
    throw bad(`the path in ${shown(text)} has a blank, a "#" or a control character`);
  return { addresses: [...new Set(addresses)], path: rest };
}

function hostAndPort(authority: string, scheme: string, text: string): string {
  if (authority === 'unix:') throw bad('a unix socket cannot be the registry, name a host');
  if (authority.includes('@'))
    throw bad('a user name in the address is not supported, use token= or token_file=');
  const split = /^(\[[^[\]]*\]|[^:[\]]*)(?::([^:]*))?$/.exec(authority);
  if (!split)
    throw bad(`the registry's address in ${shown(text)} is not HOST[:PORT] (an IPv6 host needs brackets)`);
  const host = split[1]!;
  const port = split[2] ?? String(DEFAULT_PORT[scheme]!);
  if (host === '') throw bad(`no registry host in ${shown(text)}`);
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535)
    throw bad(`the registry's port in ${shown(text)} must be 1 to 65535`);
  const inner = host.startsWith('[') ? host.slice(1, -1) : undefined;
  const valid =
    inner === undefined ? isIPv4(host) || isHostName(host) : isIPv6(inner) && !inner.includes('%');
  if (!valid) throw bad(`the registry host in ${shown(text)} is neither an IP address nor a host name`);
  return `${host}:${Number(port)}`;
}

// The query may hold a token: show nothing behind the question mark.
function shown(text: string): string {
  const visible = text.replace(/\?.*$/s, '?…').slice(0, 120);
  return JSON.stringify(visible);
}

function bad(why: string): UpsyncError {
  return new UpsyncError('BAD_DIRECTIVE', why);
}
