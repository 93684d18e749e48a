import { parseAddress } from '../upstream/address.ts';
import { errorText, type RejectedEntry, UpsyncError } from '../upstream/errors.ts';
import { duplicate } from '../upstream/server-line.ts';
import type { Server } from '../upstream/server.ts';

/** One entry of a registry, read: a server, what was wrong with it, or both. */
export interface ReadEntry {
  readonly server: Server | undefined;
  readonly rejected: readonly RejectedEntry[];
}

/** Checks an address a registry told; the report when it is not usable. */
export function addressProblem(address: string, where: string): RejectedEntry | undefined {
  try {
    const { kind, host } = parseAddress(address);
    if (kind !== 'ipv4' || host !== '255.255.255.255') return undefined;
    return { where, code: 'BAD_ADDRESS', reason: 'the broadcast address cannot be a server' };
  } catch (error) {
    const code = error instanceof UpsyncError ? error.code : 'BAD_ADDRESS';
    return { where, code, reason: errorText(error) };
  }
}

/** Text of a registry made fit for a log line: bounded, and nothing but printable characters. */
export function safeText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}

/** Puts entries together to a list: of two with the same address the first one is used and the other reported. */
export function joinEntries(entries: Iterable<{ readonly where: string; readonly entry: ReadEntry }>): {
  readonly servers: readonly Server[];
  readonly rejected: readonly RejectedEntry[];
} {
  const servers = new Map<string, Server>();
  const rejected: RejectedEntry[] = [];
  for (const { where, entry } of entries) {
    rejected.push(...entry.rejected);
    if (!entry.server) continue;
    if (servers.has(entry.server.address)) rejected.push(duplicate(where, entry.server.address));
    else servers.set(entry.server.address, entry.server);
  }
  return { servers: [...servers.values()], rejected };
}
