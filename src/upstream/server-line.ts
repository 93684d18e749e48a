import { parseAddress } from './address.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { errorText, type RejectedEntry, UpsyncError } from './errors.ts';
import { parseSeconds } from './seconds.ts';
import { createServer, type Server, SERVER_DEFAULTS } from './server.ts';
import { MAX_WEIGHT } from './server-type.ts';

/** Largest `max_fails` and `max_conns` kept (what a signed 32-bit integer holds). */
export const MAX_COUNT = 2_147_483_647;

/** A server's attributes without its address. */
export type ServerAttributes = Omit<Server, 'address'>;

/** What nginx assumes for a `server` line. Source: nginx, ngx_http_upstream_module, "server". */
export const NGINX_SERVER_DEFAULTS: ServerAttributes = Object.freeze({ ...SERVER_DEFAULTS, maxFails: 1 });

/**
 * Reads the words of one nginx `server` directive, the word `server` left out: `['10.0.0.1:80', 'weight=5', 'backup']`.
 * A missing port is 80, as in nginx. `resolve` is taken and means nothing here: host names are always resolved again.
 * A weight above 1,000,000 counts as 1,000,000.
 * @throws {UpsyncError} BAD_ADDRESS, or BAD_SERVER_LINE when a parameter is unknown or its value is not valid.
 */
export function parseServerWords(
  words: readonly string[],
  defaults: ServerAttributes = NGINX_SERVER_DEFAULTS,
): Server {
  const [address, ...parameters] = words;
  if (address === undefined) throw badLine('a server line needs an address');
  const attributes: { -readonly [K in keyof ServerAttributes]: ServerAttributes[K] } = { ...defaults };
  for (const word of parameters) {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const value = equals < 0 ? undefined : word.slice(equals + 1);
    if (value === undefined) {
      if (name === 'down' || name === 'backup' || name === 'drain') attributes[name] = true;
      else if (name !== 'resolve') throw badLine(`${quoted(word)} is not a parameter of a server line`);
    } else if (name === 'weight') attributes.weight = Math.min(count(name, value, 1), MAX_WEIGHT);
    else if (name === 'max_fails') attributes.maxFails = count(name, value, 0);
    else if (name === 'max_conns') attributes.maxConns = count(name, value, 0);
    else if (name === 'fail_timeout') attributes.failTimeoutMs = parseSeconds(value);
    else if (name === 'slow_start') attributes.slowStartMs = parseDuration(value);
    else throw badLine(`${quoted(word)} is not a parameter of a server line`);
  }
  return createServer(withPort(address), attributes);
}

/**
 * Reads one line as nginx writes it: `server 10.0.0.1:80 weight=5 max_fails=2 fail_timeout=10s down;`.
 * The semicolon may be missing.
 * @throws {UpsyncError} BAD_ADDRESS or BAD_SERVER_LINE; see {@link parseServerWords}.
 */
export function parseServerLine(line: string, defaults: ServerAttributes = NGINX_SERVER_DEFAULTS): Server {
  const words = line.trim().replace(/;$/, '').trim().split(/\s+/);
  if (words[0] !== 'server') throw badLine(`expected "server …;", got ${quoted(words[0] ?? '')}`);
  return parseServerWords(words.slice(1), defaults);
}

/**
 * Reads a whole file of `server` lines, such as nginx-upsync-module's dump. Comments and blank lines are skipped; a bad
 * line and a second line of the same address are left out and reported, the rest is used.
 * @param where the file's name, for the reports.
 */
export function parseServerLines(
  text: string,
  where: string,
  defaults: ServerAttributes = NGINX_SERVER_DEFAULTS,
): { readonly servers: readonly Server[]; readonly rejected: readonly RejectedEntry[] } {
  const servers = new Map<string, Server>();
  const rejected: RejectedEntry[] = [];
  for (const [index, full] of text.split(/\r?\n/).entries()) {
    const line = full.replace(/(^|[\s;])#.*$/, '$1');
    for (const statement of line.split(';')) {
      if (statement.trim() === '') continue;
      const place = `${where}:${index + 1}`;
      try {
        const server = parseServerLine(statement, defaults);
        if (servers.has(server.address)) rejected.push(duplicate(place, server.address));
        else servers.set(server.address, server);
      } catch (error) {
        const code = error instanceof UpsyncError ? error.code : 'BAD_SERVER_LINE';
        rejected.push({ where: place, code, reason: errorText(error) });
      }
    }
  }
  return { servers: [...servers.values()], rejected };
}

/**
 * Writes a server as nginx-upsync-module's dump and `upstream_show` do:
 * `server 127.0.0.1:8088 weight=10 max_fails=3 fail_timeout=10s;`, then ` down`, and after that what the module lacks, each
 * only when it is set: ` backup`, ` max_conns=N`, ` slow_start=T`, ` drain`.
 */
export function formatServerLine(server: Server): string {
  const words = [
    `server ${server.address} weight=${server.weight} max_fails=${server.maxFails}`,
    `fail_timeout=${Math.ceil(server.failTimeoutMs / 1000)}s`,
  ];
  if (server.down) words.push('down');
  if (server.backup) words.push('backup');
  if (server.maxConns > 0) words.push(`max_conns=${server.maxConns}`);
  if (server.slowStartMs > 0) words.push(`slow_start=${formatDuration(server.slowStartMs)}`);
  if (server.drain) words.push('drain');
  return `${words.join(' ')};`;
}

/** The report for an address that stands twice in a list; the first one is used. */
export function duplicate(where: string, address: string): RejectedEntry {
  return {
    where,
    code: 'DUPLICATE_ADDRESS',
    reason: `${address} is in the list already; the first one is used`,
  };
}

function withPort(address: string): string {
  const bare = address.startsWith('unix:') || /:[^\]]*$/.test(address) ? address : `${address}:80`;
  parseAddress(bare);
  return bare;
}

function count(name: string, value: string, least: number): number {
  const number = /^\d{1,15}$/.test(value) ? Number(value) : -1;
  if (number < least) throw badLine(`${name}=${quoted(value)} must be a whole number from ${least}`);
  return Math.min(number, MAX_COUNT);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}

function badLine(why: string): UpsyncError {
  return new UpsyncError('BAD_SERVER_LINE', `not a usable server line: ${why}`);
}
