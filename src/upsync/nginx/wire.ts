import type { Server } from '../../upstream/server.ts';
import type { BootConfig } from './boot.ts';

/** First line of a body of lists, and of a boot file. The worker refuses any other. */
export const LISTS_HEADER = 'upsync-lists 1';
export const BOOT_HEADER = 'upsync-boot 1';

/**
 * One server as the workers read it: `s 10.0.0.1:80 1 2 10000 - 0 0` (address, weight, max_fails, fail_timeout in
 * milliseconds, flags, max_conns, slow_start in milliseconds). Flags are `d`own, `b`ackup, d`r`ain, or `-` for none.
 */
export function encodeServer(server: Server): string {
  const flags = (server.down ? 'd' : '') + (server.backup ? 'b' : '') + (server.drain ? 'r' : '');
  return (
    `s ${encodeToken(server.address)} ${server.weight} ${server.maxFails} ${server.failTimeoutMs} ` +
    `${flags || '-'} ${server.maxConns} ${server.slowStartMs}\n`
  );
}

/** A list's text in the dictionary: the same list has the same text, so that versions only move when lists differ. */
export function encodeServers(servers: readonly Server[]): string {
  return servers.map(encodeServer).join('');
}

/** One or many lists as one request body for the control socket. The last line lets a cut-off body be recognised. */
export function encodeLists(
  lists: readonly { readonly upstream: string; readonly servers: readonly Server[] }[],
): string {
  const parts = lists.map(
    (list) => `u ${encodeToken(list.upstream)} ${list.servers.length}\n${encodeServers(list.servers)}`,
  );
  return `${LISTS_HEADER}\n${parts.join('')}end ${lists.length}\n`;
}

/** The boot file's text. Plain text and not JSON, since the Lua that Debian packages brings no JSON reader. */
export function encodeBoot(config: BootConfig): string {
  const parts = config.upstreams.map((upstream) => {
    const name = encodeToken(upstream.name);
    if (upstream.kind === 'plain')
      return `p ${name} ${upstream.lines.length}\n${upstream.lines.map((line) => `l ${encodeToken(line)}\n`).join('')}`;
    const { method, seed, loadFactor } = upstream.balancer;
    const key = upstream.hashKey === undefined ? '' : encodeToken(upstream.hashKey);
    return (
      `u ${name} ${upstream.servers.length} ${method} ${seed} ${loadFactor} =${key}\n` +
      encodeServers(upstream.servers)
    );
  });
  const veiled = config.veiled === true ? 'veiled\n' : '';
  const sparesLog = config.sparesLog === true ? 'spares-log\n' : '';
  return `${BOOT_HEADER}\n${veiled}${sparesLog}${parts.join('')}end ${config.upstreams.length}\n`;
}

/** Any text as one word without blanks and control characters: all bytes but a few plain ones become `%XX`. */
export function encodeToken(text: string): string {
  if (/^[A-Za-z0-9._:/@+=,;$~()[\]-]+$/.test(text)) return text;
  let token = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(byte);
    token += /[A-Za-z0-9._:/@+=,;$~()[\]-]/.test(char)
      ? char
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return token;
}
