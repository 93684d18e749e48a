import { lookup } from 'node:dns/promises';
import type { Logger } from '../../upstream/logger.ts';
import type { Server } from '../../upstream/server-type.ts';
import { readDump } from '../../upsync/dump.ts';
import { expandNames, hostNames } from '../../upsync/expand-names.ts';
import type { UpstreamPlan } from '../../upsync/upstream-plan.ts';
import { firstLists } from './strong-dependency.ts';

// nginx must listen within two seconds, names in lists or not.
const LOOKUP_BOUND_MS = 1000;

/**
 * The lists nginx starts with: what the registry says where `strong_dependency=on`, else the last good list from the dump
 * file. An upstream with neither starts with its `server` lines.
 * @throws {UpsyncError} STRONG_DEPENDENCY when such a registry does not answer.
 */
export async function startLists(
  plans: readonly UpstreamPlan[],
  logger: Logger,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly Server[]>> {
  const lists = new Map<string, readonly Server[]>();
  await Promise.all(
    plans.map(async ({ name, dumpPath }) => {
      const { servers, rejected } = await readDump(dumpPath);
      for (const entry of rejected) logger.warn({ upstream: name, ...entry }, 'dump_entry_rejected');
      if (servers.length > 0) lists.set(name, servers);
    }),
  );
  if (plans.some(({ strongDependency }) => strongDependency)) {
    // Loaded only here: most start without waiting for a registry.
    const { openSource } = await import('../../discovery/open.ts');
    const first = await firstLists(plans, { open: (plan) => openSource(plan.source) }, signal);
    for (const [name, { servers }] of first) lists.set(name, servers);
  }
  return resolved(lists);
}

// The workers take addresses only; names are followed by the engine once it runs.
async function resolved(
  lists: ReadonlyMap<string, readonly Server[]>,
): Promise<ReadonlyMap<string, readonly Server[]>> {
  const names = new Set([...lists.values()].flatMap(hostNames));
  if (names.size === 0) return lists;
  const addresses = new Map<string, readonly string[]>();
  const ask = async (name: string): Promise<void> => {
    try {
      const found = await lookup(name, { all: true, verbatim: true });
      addresses.set(
        name,
        found.map(({ address }) => address),
      );
    } catch {
      // Without an address it is left out now, and joins when the engine finds one.
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<void>((resolve) => (timer = setTimeout(resolve, LOOKUP_BOUND_MS)));
  await Promise.race([Promise.all([...names].map(ask)), bound]);
  clearTimeout(timer);
  const entries = [...lists].map(
    ([name, servers]) => [name, expandNames(servers, (host) => addresses.get(host)).servers] as const,
  );
  return new Map(entries.filter(([, servers]) => servers.length > 0));
}
