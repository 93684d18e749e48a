import type { Server } from '../upstream/server.ts';
import type { Origin } from '../upstream/snapshot.ts';
import type { Logger } from '../upstream/logger.ts';
import { readDump } from './dump.ts';

/** The list an upstream begins with. */
export interface StartList {
  readonly servers: readonly Server[];
  readonly origin: Origin;
}

/**
 * The last good list from the dump file, when it has one, else the lines of the configuration. Never fails: a dump that
 * cannot be used is reported.
 */
export async function startList(
  upstream: string,
  dumpPath: string | undefined,
  configured: { readonly servers: readonly Server[]; readonly where: string },
  logger: Logger,
): Promise<StartList> {
  if (dumpPath !== undefined) {
    const dump = await readDump(dumpPath);
    if (dump.rejected.length > 0)
      logger.warn(
        { upstream, count: dump.rejected.length, entries: dump.rejected.slice(0, 10) },
        'dump_rejected',
      );
    if (dump.servers.length > 0) {
      const origin: Origin = { kind: 'dump', source: dumpPath, at: dump.writtenAt ?? Date.now() };
      return { servers: dump.servers, origin };
    }
  }
  const origin: Origin = { kind: 'static', source: configured.where, at: Date.now() };
  return { servers: configured.servers, origin };
}
