import path from 'node:path';
import { startBackends } from '../rig/backends.ts';
import { output } from '../rig/child.ts';
import type { DispatcherResult, DispatcherRun } from '../rig/dispatcher-main.ts';
import type { Context, Scenario, ScenarioReport } from '../scenario.ts';
import { alternate, pretty, ratio, spread } from '../stats.ts';

const KINDS: readonly DispatcherRun['kind'][] = ['balanced-pool', 'upsync', 'round-robin-pool', 'pool'];
const SERVERS = 4;
const CONCURRENCY = 32;

/** The library's dispatcher beside undici's own pools. */
export const dispatcher: Scenario = {
  name: 'dispatcher',
  title: 'Dispatcher: requests from Node',
  minutes: 0.7,
  run,
};

async function run(context: Context): Promise<ScenarioReport> {
  const seconds = Math.max(1, Math.round(2 * context.scale));
  const rates = new Map<string, number[]>(KINDS.map((kind) => [kind, []]));
  const backends = await startBackends(SERVERS);
  const main = path.join(import.meta.dirname, '..', 'rig', 'dispatcher-main.js');
  let failed = 0;
  try {
    for (let round = 0; round < context.rounds; round += 1) {
      for (const kind of alternate(KINDS, round)) {
        context.step(`round ${round + 1} of ${context.rounds}, ${kind}`);
        const options: DispatcherRun = {
          kind,
          addresses: backends.addresses,
          seconds,
          concurrency: CONCURRENCY,
        };
        const text = await output(process.execPath, [main, JSON.stringify(options)], (seconds + 30) * 1000);
        const result = JSON.parse(text) as DispatcherResult;
        rates.get(kind)!.push(result.requestsPerSecond);
        if (kind === 'upsync') failed += result.failed;
      }
    }
  } finally {
    await backends.stop();
  }
  const base = rates.get('balanced-pool')!;
  return {
    name: dispatcher.name,
    title: dispatcher.title,
    method: `${CONCURRENCY} requests under way at all times over ${SERVERS} servers for ${seconds} s, a process per run. BalancedPool is undici's only pool over several servers; RoundRobinPool and Pool know a single one, and are shown for the cost of the rest of undici.`,
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
            `${relative.median.toFixed(2)} (${relative.min.toFixed(2)} to ${relative.max.toFixed(2)})`,
          ];
        }),
      },
    ],
    plots: [
      {
        file: 'dispatcher.svg',
        title: 'Requests from one Node process',
        unit: 'requests/s',
        bars: KINDS.map((kind) => ({ label: kind, ...spread(rates.get(kind)!) })),
      },
    ],
    goals: [{ text: 'no request of the dispatcher fails', measured: `${failed} failed`, met: failed === 0 }],
    measures: Object.fromEntries(KINDS.map((kind) => [`dispatcher ${kind} requests/s`, rates.get(kind)!])),
  };
}
