import type { Agent } from './agent.ts';
import type { Clock } from './clock.ts';
import { blockingQuery, type Indexed } from './blocking.ts';
import type { Identity } from './identity.ts';
import type { ReadOptions } from './http/query.ts';
import type { Call } from './http/router.ts';
import type { Store } from './store/store.ts';

/** What every route works with. */
export interface Context {
  readonly identity: Identity;
  readonly store: Store;
  readonly agent: Agent;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Runs a read as a blocking query of this call; undefined when the client left meanwhile. */
export async function ask<T extends Indexed>(
  context: Context,
  call: Call,
  options: ReadOptions,
  topics: readonly string[],
  query: () => T,
): Promise<T | undefined> {
  return blockingQuery(query, {
    minIndex: options.minIndex,
    waitMs: options.waitMs,
    topics,
    signal: call.signal,
    indexes: context.store.indexes,
    clock: context.clock,
    random: context.random,
  });
}
