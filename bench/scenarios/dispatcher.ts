import { startBackends } from '../rig/backends.ts';
import type { DispatcherKind } from '../rig/dispatcher-kinds.ts';
import { runDispatcher } from '../rig/dispatcher-run.ts';
import type { Context, Scenario, ScenarioReport } from '../scenario.ts';
import { alternate, pretty, ratio, spread, within } from '../stats.ts';
import { measureEvents } from './dispatcher-events.ts';

const KINDS: readonly DispatcherKind[] = ['balanced-pool', 'upsync', 'round-robin-pool', 'pool'];
const SERVERS = 4;
const CONCURRENCY = 32;

/** The library's dispatcher beside undici's own pools. */
export const dispatcher: Scenario = {
  name: 'dispatcher',
  title: 'Dispatcher: requests from Node',
  minutes: 2,
  run,
};

async function run(context: Context): Promise<ScenarioReport> {
  const seconds = Math.max(1, Math.round(2 * context.scale));
  const rates = new Map<string, number[]>(KINDS.map((kind) => [kind, []]));
  const backends = await startBackends(SERVERS);
  let failed = 0;
  try {
    for (let round = 0; round < context.rounds; round += 1) {
      for (const kind of alternate(KINDS, round)) {
        context.step(`round ${round + 1} of ${context.rounds}, ${kind}`);
        const result = await runDispatcher({
          kind,
          addresses: backends.addresses,
          seconds,
          concurrency: CONCURRENCY,
          pauseMs: 0,
        });
        rates.get(kind)!.push(result.requestsPerSecond);
        if (kind === 'upsync') failed += Object.values(result.errors).reduce((sum, count) => sum + count, 0);
      }
    }
  } finally {
    await backends.stop();
  }
  const events = await measureEvents(context);
  failed += events.failed;
  const base = rates.get('balanced-pool')!;
  return {
    name: dispatcher.name,
    title: dispatcher.title,
    method: `${CONCURRENCY} requests under way at all times over ${SERVERS} servers for ${seconds} s, a process per run. BalancedPool is undici's only pool over several servers; RoundRobinPool and Pool have one here, and are shown for the cost of the rest of undici. ${events.method}`,
    tables: [
      {
        caption: 'Requests per second from one Node process',
        columns: ['dispatcher', 'requests/s', 'ratio to BalancedPool'],
        rows: KINDS.map((kind) => {
          const rate = spread(rates.get(kind)!);
          const relative = ratio(rates.get(kind)!, base);
          return [
            kind,
            `${pretty(rate.median)} (${pretty(rate.min)} to ${pretty(rate.max)})`,
            within(relative.median, relative.min, relative.max),
          ];
        }),
      },
      events.table,
    ],
    plots: [
      {
        file: 'dispatcher.svg',
        title: 'Requests from one Node process',
        unit: 'requests/s',
        bars: KINDS.map((kind) => ({ label: kind, ...spread(rates.get(kind)!) })),
      },
    ],
    goals: [
      {
        text: 'no request of the dispatcher fails, also when servers die, restart and join',
        measured: `${failed} failed`,
        met: failed === 0,
        why: events.why,
      },
    ],
    measures: {
      ...Object.fromEntries(KINDS.map((kind) => [`dispatcher ${kind} requests/s`, rates.get(kind)!])),
      ...events.measures,
    },
  };
}
