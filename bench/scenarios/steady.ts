import { startBackends } from '../rig/backends.ts';
import { startFront, type Variant } from '../rig/front.ts';
import { wrk, type WrkResult } from '../rig/wrk.ts';
import type { Context, Scenario, ScenarioReport } from '../scenario.ts';
import { alternate, pretty, ratio, spread } from '../stats.ts';
import { profileSteady, type SteadyProfile } from './steady-profile.ts';

const GOAL = 0.98;
const CONNECTIONS = 64;
const SERVERS = 4;
const WARM_SECONDS = 1;
/**
 * Which worker takes how many of the connections is luck, and a lopsided run is up to a fifth slower in any variant. So each
 * round measures several times, with new connections, and its value is the median.
 */
const RUNS = 5;

/** Throughput when nothing changes: what balancing in Lua costs beside nginx's own. */
export const steady: Scenario = {
  name: 'steady',
  title: 'Steady: nothing changes',
  minutes: 1,
  minutesOnce: 0.4,
  run,
};

async function run(context: Context): Promise<ScenarioReport> {
  const variants: Variant[] = ['static', 'upsync'];
  if (context.upsyncNginx !== undefined) variants.push('upsync-module');
  const runs = Math.max(3, Math.round(RUNS * context.scale));
  const rates = new Map<Variant, number[]>(variants.map((variant) => [variant, []]));
  const p99s = new Map<Variant, number[]>(variants.map((variant) => [variant, []]));
  const backends = await startBackends(SERVERS);
  let profile: SteadyProfile;
  try {
    for (let round = 0; round < context.rounds; round += 1) {
      for (const variant of alternate(variants, round)) {
        context.step(`round ${round + 1} of ${context.rounds}, ${variant}`);
        const front = await startFront({
          variant,
          servers: backends.addresses,
          ...(context.upsyncNginx !== undefined && { upsyncNginx: context.upsyncNginx }),
        });
        const url = `http://127.0.0.1:${front.port}/`;
        await wrk({ url, seconds: WARM_SECONDS, connections: CONNECTIONS });
        const results: WrkResult[] = [];
        for (let i = 0; i < runs; i += 1)
          results.push(await wrk({ url, seconds: 1, connections: CONNECTIONS }));
        await front.stop();
        for (const { non2xx, socketErrors } of results)
          if (non2xx + socketErrors > 0)
            throw new Error(`${variant}: ${non2xx} bad answers, ${socketErrors} socket errors`);
        rates.get(variant)!.push(spread(results.map((result) => result.requestsPerSecond)).median);
        p99s.get(variant)!.push(spread(results.map((result) => result.p99)).median);
      }
    }
    profile = await profileSteady(context, backends.addresses);
  } finally {
    await backends.stop();
  }
  const base = rates.get('static')!;
  const ours = ratio(rates.get('upsync')!, base);
  return {
    name: steady.name,
    title: steady.title,
    method: `wrk, ${CONNECTIONS} keepalive connections, 2 nginx workers, ${SERVERS} backends; ${context.rounds} rounds of fresh processes in alternating order. A round's value is the median of ${runs} runs of 1 s after ${WARM_SECONDS} s of warming up, each with new connections: how they spread over the workers is luck.`,
    tables: [
      {
        caption:
          'Requests per second: median (min to max of the rounds), and the ratio to static, round by round',
        columns: ['variant', 'requests/s', 'ratio to static', 'p99 ms'],
        rows: variants.map((variant) => {
          const rate = spread(rates.get(variant)!);
          const relative = ratio(rates.get(variant)!, base);
          return [
            variant,
            `${pretty(rate.median)} (${pretty(rate.min)} to ${pretty(rate.max)})`,
            `${relative.median.toFixed(3)} (${relative.min.toFixed(3)} to ${relative.max.toFixed(3)})`,
            pretty(spread(p99s.get(variant)!).median),
          ];
        }),
      },
    ],
    plots: [
      {
        file: 'steady.svg',
        title: 'Throughput with nothing changing',
        unit: 'requests/s',
        bars: variants.map((variant) => ({ label: variant, ...spread(rates.get(variant)!) })),
      },
    ],
    goals: [
      {
        text: `steady throughput at least ${GOAL} of static`,
        measured: ours.median.toFixed(3),
        met: ours.median >= GOAL,
        why: profile.why,
        profile: profile.table,
      },
    ],
    measures: Object.fromEntries(
      variants.map((variant) => [`steady ${variant} requests/s`, rates.get(variant)!]),
    ),
  };
}
