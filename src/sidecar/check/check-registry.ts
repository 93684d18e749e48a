import type { Source } from '../../discovery/source.ts';
import { errorText } from '../../upstream/errors.ts';
import type { UpstreamPlan } from '../../upsync/upstream-plan.ts';
import type { Finding } from './finding.ts';

const BOUND_MS = 5000;

/** Asks the registry of one upstream for its list, once. */
export async function checkRegistry(
  plan: UpstreamPlan,
  open: (plan: UpstreamPlan) => Source,
): Promise<Finding> {
  const what = `upstream ${plan.name}`;
  const began = performance.now();
  const signal = AbortSignal.timeout(BOUND_MS);
  let description = plan.where;
  try {
    const source = open(plan);
    description = source.description;
    for await (const list of source.lists(signal)) {
      const ms = Math.round(performance.now() - began);
      const rejected = list.rejected.map(({ where, reason }) => `${where}: ${reason}`);
      const detail = [
        `${description}: ${list.servers.length} ${list.servers.length === 1 ? 'server' : 'servers'} in ${ms} ms`,
        ...rejected,
      ].join('\n');
      if (list.servers.length === 0) return { verdict: 'warning', what, detail, remedy: emptyRemedy(plan) };
      if (rejected.length > 0)
        return { verdict: 'warning', what, detail, remedy: 'correct these entries; the others are used' };
      return { verdict: 'good', what, detail };
    }
    return {
      verdict: 'bad',
      what,
      detail: `${description}: no answer within ${BOUND_MS / 1000} s`,
      remedy: REMEDY,
    };
  } catch (error) {
    return { verdict: 'bad', what, detail: `${description}: ${errorText(error)}`, remedy: REMEDY };
  }
}

const REMEDY =
  'is the registry up, and are address, path and token right? Until it answers nginx serves the last good list';

function emptyRemedy({ source, allowEmpty, where }: UpstreamPlan): string {
  const path = source.type === 'consul' ? 'the key prefix' : 'the path';
  const empty = allowEmpty
    ? 'the upstream is empty'
    : 'an empty list is not believed, the last good list stays';
  return `${empty}; register servers, or correct ${path} in ${where}`;
}
