import { isIPv4, isIPv6 } from 'node:net';
import { UpsyncError } from './errors.ts';

/** A server's address, taken apart. `host` has no brackets; `port` is 0 for a unix socket. */
export interface Address {
  readonly kind: 'ipv4' | 'ipv6' | 'unix' | 'name';
  readonly host: string;
  readonly port: number;
}

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;
const UNIX_PATH = /^\/[A-Za-z0-9._/@+-]{1,106}$/;

/**
 * Reads `10.0.0.1:80`, `[2001:db8::1]:80`, `unix:/run/app.sock` or `host.example:80` by the strictest grammar, since the
 * text ends up in nginx configuration, in Lua and in logs.
 * @throws {UpsyncError} BAD_ADDRESS for anything else, a missing port included.
 */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) {
    const path = text.slice(5);
    if (!UNIX_PATH.test(path))
      throw badAddress(text, 'a unix socket needs an absolute path of at most 107 plain characters');
    return { kind: 'unix', host: path, port: 0 };
  }
  const split = /^(\[[^[\]]*\]|[^:[\]]*):([^:]*)$/.exec(text);
  if (!split) throw badAddress(text, 'expected host:port, with an IPv6 host in brackets');
  const host = split[1]!;
  const port = parsePort(split[2]!);
  if (port === undefined) throw badAddress(text, 'the port must be 1 to 65535');
  if (host.startsWith('[')) {
    const inner = host.slice(1, -1);
    if (!isIPv6(inner) || inner.includes('%'))
      throw badAddress(text, 'the part in brackets is no IPv6 address');
    return { kind: 'ipv6', host: inner, port };
  }
  if (isDottedQuad(host)) return { kind: 'ipv4', host, port };
  if (!isHostName(host)) throw badAddress(text, 'the host is neither an IP address nor a host name');
  return { kind: 'name', host, port };
}

/** Puts host and port together as nginx writes them: an IPv6 host gets brackets. */
export function formatAddress(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A host name by RFC 1123, underscore allowed, at most 253 characters, not all digits and dots. */
export function isHostName(text: string): boolean {
  if (text.length === 0 || text.length > 253 || /^[0-9.]+$/.test(text)) return false;
  return text.split('.').every((label) => LABEL.test(label));
}

function parsePort(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : undefined;
}

// nginx-upsync-module takes octets and ports with leading zeros verbatim (`010.0.0.21`); the identity stays the text as given.
function isDottedQuad(host: string): boolean {
  return (
    isIPv4(host) ||
    (/^\d{1,10}(\.\d{1,10}){3}$/.test(host) && host.split('.').every((octet) => Number(octet) <= 255))
  );
}

function badAddress(text: string, why: string): UpsyncError {
  return new UpsyncError(
    'BAD_ADDRESS',
    `${JSON.stringify(text.slice(0, 80))} is not a server address: ${why}`,
  );
}
