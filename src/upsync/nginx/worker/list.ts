import { MAX_WEIGHT, type Server } from '../../../upstream/server-type.ts';
import { type Endpoint, parseEndpoint } from './address.ts';

/** What nginx made of an address: its socket address, and it as text. */
export interface KeptPeer {
  /** What the pointers below point into. */
  readonly block: unknown;
  readonly address: unknown;
  readonly bytes: number;
  readonly name: unknown;
}

/** A server with what nginx's balancer wants of its address. */
export interface WorkerServer extends Server, Endpoint {
  /** The number of its upstream; 0 until it is put to work. */
  upstream: number;
  /** What nginx made of its address. */
  kept: KeptPeer | undefined;
}

/** Servers by the line they were read from: an unchanged server is not read again. */
export type KnownServers = Record<string, WorkerServer | undefined>;

const FLAGS: Record<string, boolean | undefined> = {
  '-': true,
  d: true,
  b: true,
  r: true,
  db: true,
  dr: true,
  br: true,
  dbr: true,
};
/** Largest number of digits whose value is exact as a double. */
const MAX_DIGITS = 15;

/** Reads one line of `encodeServer` (wire.ts), without its newline; a text says what is wrong with it. */
export function parseServer(line: string): WorkerServer | string {
  const [address, weight, maxFails, failTimeout, flags, maxConns, slowStart] = string.match(
    line,
    '^s (%S+) (%d+) (%d+) (%d+) (%S+) (%d+) (%d+)$',
  );
  if (address === undefined) return 'is not a server line';
  const endpoint = parseEndpoint(address);
  if (endpoint === undefined) return 'has no usable address';
  const weightValue = integer(weight!);
  if (weightValue < 1 || weightValue > MAX_WEIGHT)
    return `has a weight outside 1 to ${string.format('%d', MAX_WEIGHT)}`;
  const maxFailsValue = integer(maxFails!);
  const failTimeoutMs = integer(failTimeout!);
  const maxConnsValue = integer(maxConns!);
  const slowStartMs = integer(slowStart!);
  if (maxFailsValue < 0 || failTimeoutMs < 0 || maxConnsValue < 0 || slowStartMs < 0)
    return 'has a number out of range';
  if (!FLAGS[flags!]) return 'has unknown flags';
  return {
    address,
    host: endpoint.host,
    port: endpoint.port,
    weight: weightValue,
    maxFails: maxFailsValue,
    failTimeoutMs,
    down: hasFlag(flags!, 'd'),
    backup: hasFlag(flags!, 'b'),
    maxConns: maxConnsValue,
    slowStartMs,
    drain: hasFlag(flags!, 'r'),
    upstream: 0,
    kept: undefined,
  };
}

/** The servers of a list's text. Lines that cannot be read are left out; `known` gains those that can. */
export function readServers(text: string, before: KnownServers, known: KnownServers): WorkerServer[] {
  const servers: WorkerServer[] = [];
  for (const [line] of string.gmatch(text, '[^\n]+')) {
    const server = before[line!] ?? parseServer(line!);
    if (typeof server === 'string') continue;
    known[line!] = server;
    servers.push(server);
  }
  return servers;
}

/** Undoes `encodeToken` (wire.ts). */
export function decodeToken(token: string): string {
  const [text] = string.gsub(token, '%%(%x%x)', (hex: string) => string.char(tonumber(hex, 16)!));
  return text;
}

function integer(digits: string): number {
  return digits.length > MAX_DIGITS ? -1 : tonumber(digits)!;
}

function hasFlag(flags: string, flag: string): boolean {
  const [at] = string.find(flags, flag, 1, true);
  return at !== undefined;
}
