import { lstatSync } from 'node:fs';
import { lookup } from 'node:dns/promises';
import type { Logger } from '../../upstream/logger.ts';
import type { Server } from '../../upstream/server-type.ts';
import { readDump } from '../../upsync/dump.ts';
import { expandNames, hostNames } from '../../upsync/expand-names.ts';
import type { UpstreamPlan } from '../../upsync/upstream-plan.ts';
import { firstLists } from './strong-dependency.ts';

// nginx must listen within two seconds, names in lists or not.
const LOOKUP_BOUND_MS = 1000;

/** Gives the lists to start with, by upstream, for the plans of a configuration. */
export type ListsFor = (
  plans: readonly UpstreamPlan[],
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, readonly Server[]>>;

/**
 * The lists nginx starts with: what the registry says where `strong_dependency=on`, else the last good list. An upstream
 * with neither starts with its `server` lines.
 * @throws {UpsyncError} STRONG_DEPENDENCY when such a registry does not answer.
 */
export function startLists(logger: Logger): ListsFor {
  return async (plans, signal) => {
    const lists = new Map(await lastLists(logger)(plans, signal));
    if (!plans.some(({ strongDependency }) => strongDependency)) return lists;
    // Loaded only here: most start without waiting for a registry.
    const { openSource } = await import('../../discovery/open.ts');
    const first = await firstLists(plans, { open: (plan) => openSource(plan.source) }, signal);
    const answers = [...first].map(([name, { servers }]) => [name, servers] as const);
    for (const [name, servers] of await resolved(new Map(answers))) lists.set(name, servers);
    return lists;
  };
}

/** The last good lists, from the dump files. */
export function lastLists(logger: Logger): ListsFor {
  return async (plans) => {
    const lists = new Map<string, readonly Server[]>();
    await Promise.all(
      plans.map(async ({ name, dumpPath }) => {
        if (isMissing(dumpPath)) return;
        const { servers, rejected } = await readDump(dumpPath);
        for (const entry of rejected) logger.warn({ upstream: name, ...entry }, 'dump_entry_rejected');
        if (servers.length > 0) lists.set(name, servers);
      }),
    );
    return resolved(lists);
  };
}

// At the very first start there is no dump at all: for thousands of upstreams it costs a tenth to find that out at once.
function isMissing(file: string): boolean {
  try {
    return lstatSync(file, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false; // Why it cannot be read is for `readDump` to say.
  }
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
