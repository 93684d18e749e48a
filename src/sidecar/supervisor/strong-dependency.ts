import { setTimeout as delay } from 'node:timers/promises';
import type { Source, SourceList } from '../../discovery/source.ts';
import { UpsyncError, errorText } from '../../upstream/errors.ts';
import type { UpstreamPlan } from '../../upsync/upstream-plan.ts';

/** A registry that is started together with nginx refuses connections for some seconds. */
const ATTEMPTS = 16;

export interface RegistryWait {
  readonly open: (plan: UpstreamPlan) => Source;
  /** @default 16 */
  readonly attempts?: number;
  /** All attempts together. Milliseconds. @default 10000 */
  readonly boundMs?: number;
  /** Between two attempts. Milliseconds. @default 300 */
  readonly pauseMs?: number;
}

/**
 * `strong_dependency=on`: fetches the first list of each such upstream, all at once, so that nginx starts with it.
 * @throws {UpsyncError} STRONG_DEPENDENCY naming each upstream whose registry gave no usable list, and why.
 */
export async function firstLists(
  plans: readonly UpstreamPlan[],
  wait: RegistryWait,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, SourceList>> {
  const strong = plans.filter((plan) => plan.strongDependency);
  const results = await Promise.allSettled(strong.map((plan) => firstList(plan, wait, signal)));
  signal.throwIfAborted();
  const lists = new Map<string, SourceList>();
  const reasons: string[] = [];
  for (const [index, result] of results.entries()) {
    const plan = strong[index]!;
    if (result.status === 'fulfilled') lists.set(plan.name, result.value);
    else
      reasons.push(
        `upstream "${plan.name}" has strong_dependency=on and its registry gave no list: ${errorText(result.reason)} in ${plan.where}`,
      );
  }
  if (reasons.length > 0) throw new UpsyncError('STRONG_DEPENDENCY', reasons.join('\n'));
  return lists;
}

async function firstList(plan: UpstreamPlan, wait: RegistryWait, signal: AbortSignal): Promise<SourceList> {
  const boundMs = wait.boundMs ?? 10_000;
  const attempts = wait.attempts ?? ATTEMPTS;
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(boundMs)]);
  let last: unknown = new UpsyncError('SOURCE_TIMEOUT', `no answer within ${boundMs / 1000} s`);
  for (let attempt = 1; attempt <= attempts && !bounded.aborted; attempt++) {
    try {
      const source = wait.open(plan);
      for await (const list of source.lists(bounded)) {
        if (list.servers.length > 0 || plan.allowEmpty) return list;
        // Perhaps it is being filled just now.
        throw new UpsyncError('EMPTY_LIST', `${source.description} has no usable server`);
      }
    } catch (error) {
      last = bounded.aborted ? last : error;
    }
    if (attempt < attempts)
      await delay(wait.pauseMs ?? 300, undefined, { signal: bounded }).catch(() => undefined);
  }
  throw last;
}
