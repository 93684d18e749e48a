import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Server } from '../../upstream/server-type.ts';
import type { BootConfig } from '../../upsync/nginx/boot.ts';
import { encodeBoot, encodeServers, encodeToken } from '../../upsync/nginx/wire.ts';

/** Writes what the workers start with; nginx sees the old or the new file, never a part. */
export function writeBoot(file: string, boot: BootConfig): void {
  replace(file, encodeBoot(boot));
}

/**
 * Puts other lists into a boot file, by upstream; what it says of other upstreams stays. The file itself is what is known of
 * them: lists of the start, tens of thousands of servers, are not kept in memory for the rare moment they are needed again.
 */
export function updateBoot(file: string, lists: ReadonlyMap<string, readonly Server[]>): void {
  const byToken = new Map([...lists].map(([name, servers]) => [encodeToken(name), servers]));
  const kept: string[] = [];
  const lines = readFileSync(file, 'utf8').split('\n');
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const [kind, name = '', count, ...settings] = line.split(' ');
    const servers = kind === 'u' ? byToken.get(name) : undefined;
    if (servers === undefined) kept.push(line);
    else {
      kept.push(['u', name, servers.length, ...settings].join(' '));
      if (servers.length > 0) kept.push(encodeServers(servers).trimEnd());
      at += Number(count);
    }
  }
  replace(file, kept.join('\n'));
}

function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
