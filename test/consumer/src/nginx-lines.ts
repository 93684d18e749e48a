import { ConfigError, formatServerLine, includeText, parseServerLine } from 'upsync';
import { parseUpsyncDirective } from 'upsync/upsync';

/** Reads and writes the lines nginx reads and writes. */
export function nginxLines(): string {
  const server = parseServerLine('server 10.0.0.1:80 weight=5 max_fails=3 fail_timeout=30s slow_start=1m;');
  return `${formatServerLine(server)}\n${includeText([server, { ...server, down: true }], 'round_robin')}`;
}

/** A directive with a mistake in it says where, and what was probably meant. */
export function mistake(): string {
  try {
    parseUpsyncDirective(['127.0.0.1:8500/v1/kv/upstreams/users/', 'upsync_tpye=consul'], {
      file: '/etc/nginx/nginx.conf',
      line: 12,
      folder: '/etc/nginx',
    });
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return `${error.code} line ${error.line}: ${error.message}`;
    throw error;
  }
}
