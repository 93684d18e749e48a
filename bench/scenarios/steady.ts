import { startBackends } from '../rig/backends.ts';
import { type Front, startFront, type Variant } from '../rig/front.ts';
import { wrk, type WrkResult } from '../rig/wrk.ts';
import type { Context, Scenario, ScenarioReport } from '../scenario.ts';
import { alternate, pretty, ratio, type Spread, spread, within } from '../stats.ts';
import { profileSteady, type SteadyProfile } from './steady-profile.ts';

const GOAL = 0.98;
const CONNECTIONS = 64;
const SERVERS = 4;
const WARM_SECONDS = 1;
/**
 * Which worker takes how many of the connections is luck, and so is what else the machine does: so the variants run all the time
 * and take turns of a second, each turn with new connections. A turn is compared with the one beside it.
 */
const TURNS = 10;

/** Throughput when nothing changes: what balancing in Lua costs beside nginx's own. */
export const steady: Scenario = {
  name: 'steady',
  title: 'Steady: nothing changes',
  minutes: 1.2,
  minutesOnce: 0.4,
  run,
};

/** Requests per second and p99 of each turn, round by round. */
type Rounds = readonly { readonly rates: number[]; readonly p99s: number[] }[];

async function run(context: Context): Promise<ScenarioReport> {
  const variants: Variant[] = ['static', 'upsync'];
  if (context.upsyncNginx !== undefined) variants.push('upsync-module');
  const turns = Math.max(3, Math.round(TURNS * context.scale));
  const measured = new Map<Variant, Rounds[number][]>(variants.map((variant) => [variant, []]));
  const backends = await startBackends(SERVERS);
  let profile: SteadyProfile;
  try {
    for (let round = 0; round < context.rounds; round += 1) {
      context.step(`round ${round + 1} of ${context.rounds}, ${variants.join(' and ')} in turns`);
      const taken = await inTurns(context, variants, backends.addresses, turns);
      for (const variant of variants) measured.get(variant)!.push(taken.get(variant)!);
    }
    profile = await profileSteady(context, backends.addresses);
  } finally {
    await backends.stop();
  }
  return report(variants, measured, turns, profile);
}

async function inTurns(
  context: Context,
  variants: readonly Variant[],
  servers: readonly string[],
  turns: number,
): Promise<ReadonlyMap<Variant, Rounds[number]>> {
  const fronts: { readonly variant: Variant; readonly front: Front; readonly taken: Rounds[number] }[] = [];
  try {
    for (const variant of variants) {
      const front = await startFront({
        variant,
        servers,
        ...(context.upsyncNginx !== undefined && { upsyncNginx: context.upsyncNginx }),
      });
      fronts.push({ variant, front, taken: { rates: [], p99s: [] } });
      await load(variant, front, WARM_SECONDS);
    }
    for (let turn = 0; turn < turns; turn += 1)
      for (const { variant, front, taken } of alternate(fronts, turn)) {
        const { requestsPerSecond, p99 } = await load(variant, front, 1);
        taken.rates.push(requestsPerSecond);
        taken.p99s.push(p99);
      }
  } finally {
    for (const { front } of fronts) await front.stop();
  }
  return new Map(fronts.map(({ variant, taken }) => [variant, taken]));
}

async function load(variant: Variant, { port }: Front, seconds: number): Promise<WrkResult> {
  const result = await wrk({ url: `http://127.0.0.1:${port}/`, seconds, connections: CONNECTIONS });
  if (result.non2xx + result.socketErrors > 0)
    throw new Error(`${variant}: ${result.non2xx} bad answers, ${result.socketErrors} socket errors`);
  return result;
}

function report(
  variants: readonly Variant[],
  measured: ReadonlyMap<Variant, Rounds>,
  turns: number,
  profile: SteadyProfile,
): ScenarioReport {
  const base = measured.get('static')!;
  const rateOf = (variant: Variant): Spread =>
    spread(measured.get(variant)!.map(({ rates }) => spread(rates).median));
  const ratioOf = (variant: Variant): { readonly all: number; readonly rounds: Spread } => {
    const rounds = measured.get(variant)!.map(({ rates }, round) => ratio(rates, base[round]!.rates));
    return {
      all: spread(rounds.flatMap((one) => one.rounds)).median,
      rounds: spread(rounds.map(({ median }) => median)),
    };
  };
  const ours = ratioOf('upsync');
  return {
    name: steady.name,
    title: steady.title,
    method: `wrk, ${CONNECTIONS} keepalive connections, 2 nginx workers, ${SERVERS} backends; ${base.length} rounds of fresh processes. In a round the variants run all the time and take ${turns} turns of a second each, in alternating order, each turn with new connections: how they spread over the workers is luck. A turn is compared with the one of the static nginx beside it.`,
    tables: [
      {
        caption:
          'Requests per second: median (min to max of the rounds), and the ratio to static: median of all turns (lowest to highest round)',
        columns: ['variant', 'requests/s', 'ratio to static', 'p99 ms'],
        rows: variants.map((variant) => {
          const rate = rateOf(variant);
          const { all, rounds } = ratioOf(variant);
          return [
            variant,
            `${pretty(rate.median)} (${pretty(rate.min)} to ${pretty(rate.max)})`,
            within(all, rounds.min, rounds.max, 3),
            pretty(spread(measured.get(variant)!.flatMap(({ p99s }) => p99s)).median),
          ];
        }),
      },
    ],
    plots: [
      {
        file: 'steady.svg',
        title: 'Throughput with nothing changing',
        unit: 'requests/s',
        bars: variants.map((variant) => ({ label: variant, ...rateOf(variant) })),
      },
    ],
    goals: [
      {
        text: `steady throughput at least ${GOAL} of static`,
        measured: within(ours.all, ours.rounds.min, ours.rounds.max, 3),
        met: ours.all >= GOAL,
        why: profile.why,
        profile: profile.table,
      },
    ],
    measures: Object.fromEntries(
      variants.map((variant) => [`steady ${variant} requests/s`, rateOf(variant).rounds]),
    ),
  };
}
