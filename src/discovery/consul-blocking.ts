import { consulUrl, type ConsulQuery } from './consul-query.ts';
import { parseConsulIndex, pollTimes } from './consul-index.ts';
import { type RegistryHttp, type RegistryReply, requireOk } from './http.ts';
import type { PollFloor } from './poll-floor.ts';
import { sleep } from './sleep.ts';

/** What a reply held, and whether that differs from the reply before. */
export interface Decoded<T> {
  readonly value: T;
  readonly changed: boolean;
}

/** One poll loop against Consul. */
export interface BlockingOptions<T> {
  readonly http: RegistryHttp;
  readonly query: ConsulQuery;
  /** Kept by the source from one loop to the next, so that starting again is no way around it. */
  readonly floor: PollFloor;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Statuses besides 200 whose reply is a list, with an index: 404 of the KV store means "no key". */
  readonly alsoOk?: readonly number[];
  /** Gives memory to begin a reply in. */
  readonly memory?: () => Buffer | undefined;
  /**
   * Reads a reply.
   * @throws {SourceError} when it is no list; the index is then not committed, and the caller asks again from the start.
   */
  readonly decode: (reply: RegistryReply) => Decoded<T>;
}

/** A list without an index is asked for no longer than this, since it comes at once. Milliseconds. */
const DIRECT_DEADLINE_MS = 30_000;

/**
 * Yields what Consul holds at once, and again after each change, by blocking queries. The index is committed when the
 * caller asks for more, so a list that was not taken is told again. It goes back to 0 when Consul's goes backwards.
 * Without an index in the replies (some proxies drop it) it asks every `intervalMs`.
 * Source: Consul, "Blocking Queries", the rules for clients.
 */
export async function* blockingReplies<T>(
  options: BlockingOptions<T>,
  signal: AbortSignal,
): AsyncGenerator<{ value: T; index: string | undefined }> {
  const { http, query, floor } = options;
  const times = pollTimes(options.timeoutMs);
  const directDeadlineMs = Math.min(times.deadlineMs, DIRECT_DEADLINE_MS);
  let committed = 0n;
  for (let first = true; ;) {
    await floor.ready(signal);
    if (signal.aborted) return;
    const reply = await http.request({
      path: consulUrl(query, committed, times.waitMs),
      deadlineMs: committed === 0n ? directDeadlineMs : times.deadlineMs,
      signal,
      ...(options.memory && { memory: options.memory }),
    });
    const index = parseConsulIndex(reply.header('x-consul-index'));
    // Without an index a 404 may come from anybody on the way, and says nothing about the list.
    if (index === undefined || options.alsoOk?.includes(reply.status) !== true) requireOk(reply);
    if (index !== undefined && index === committed) {
      floor.answered(false, 0);
      continue;
    }
    const start = performance.now();
    const { value, changed } = options.decode(reply);
    floor.answered(changed, performance.now() - start);
    if (changed || first) yield { value, index: index?.toString() };
    first = false;
    committed = index === undefined || index < committed ? 0n : index;
    if (index === undefined) await sleep(options.intervalMs, signal);
  }
}
