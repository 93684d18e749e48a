import type { Method } from '../balancer/balancer.ts';
import type { Source } from '../discovery/source.ts';
import { type Logger, SILENT } from '../upstream/logger.ts';
import type { Server } from '../upstream/server.ts';
import type { Snapshot } from '../upstream/snapshot.ts';
import { Delivery } from './deliver.ts';
import { Follower } from './follower.ts';
import type { GuardOptions } from './guard.ts';
import { runFollower } from './run-follower.ts';
import { startList } from './start-list.ts';
import { DumpFileTarget } from './targets/dump-file.ts';

/** How {@link follow} follows. */
export interface FollowOptions {
  /** Name for snapshots and logs. @default the source's description */
  readonly upstream?: string;
  /** @default an empty list is not believed, any other is */
  readonly guard?: Partial<GuardOptions>;
  /** File that keeps the last good list: read at the start, replaced after each change. @default none */
  readonly dump?: string;
  /** The list to begin with when there is no dump. @default none */
  readonly initial?: readonly Server[];
  /** Decides the order of the list. @default 'round_robin' */
  readonly method?: Method;
  /** Ramp of servers whose registry entry names none; the dump keeps what the registry said. Milliseconds. @default 0 */
  readonly slowStartMs?: number;
  /** Ends the iteration. Leaving the loop ends it as well. */
  readonly signal?: AbortSignal;
  /** @default nothing is logged */
  readonly logger?: Logger;
  /** 0 up to, not including, 1; spreads retries. @default Math.random */
  readonly random?: () => number;
}

/** Longest the last dump may take when a loop is left. Milliseconds. */
const LAST_DUMP_MS = 1000;

/**
 * Yields the list of an upstream at once (from the dump, else `initial`, else as soon as the registry answers) and again
 * after each change, for as long as the loop runs. The registry may fail, empty or lie in the ways the guard knows: the
 * last good list stays. A slow loop sees the newest list, never an old one. Never throws because of a registry.
 *
 * @example
 * for await (const { servers } of follow(openSource(options), { dump: '/var/lib/app/users.conf' })) pool.replace(servers);
 */
export async function* follow(
  source: Source,
  options: FollowOptions = {},
): AsyncGenerator<Snapshot, void, undefined> {
  const { upstream = source.description, dump, initial = [], logger = SILENT, random, signal } = options;
  const stop = new AbortController();
  const end = (): void => stop.abort();
  signal?.addEventListener('abort', end, { once: true });
  if (signal?.aborted) stop.abort();
  const start = await startList(upstream, dump, { servers: initial, where: 'initial list' }, logger);
  const follower = new Follower({
    upstream,
    description: source.description,
    method: options.method ?? 'round_robin',
    guard: { allowEmpty: false, ...options.guard },
    initial: start,
    slowStartMs: options.slowStartMs ?? 0,
    logger,
  });
  const dumps = new Delivery(new DumpFileTarget(() => dump), { logger, ...(random && { random }) });
  const running = runFollower(follower, source, { signal: stop.signal, logger, ...(random && { random }) });
  let seen = -1;
  try {
    for await (const { written, resolved = written } of follower.emissions.values(stop.signal)) {
      if (written.origin.kind === 'registry') dumps.put(written);
      // Nothing to begin with is no list; a list that did not change is no news.
      const nothing = written.origin.kind === 'static' && written.servers.length === 0;
      if (nothing || written.version === seen) continue;
      seen = written.version;
      // Nobody resolves names here, so the two differ in the ramps alone.
      yield resolved;
    }
  } finally {
    signal?.removeEventListener('abort', end);
    stop.abort();
    follower.close();
    await running;
    await dumps.close(LAST_DUMP_MS);
  }
}
