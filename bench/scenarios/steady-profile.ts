import { startFront } from '../rig/front.ts';
import { startRung, type Rung, type RungFront } from '../rig/lua-rungs.ts';
import { ownCpuSeconds } from '../rig/process-usage.ts';
import { wrk } from '../rig/wrk.ts';
import type { Context, Table } from '../scenario.ts';
import { alternate, pretty, spread } from '../stats.ts';

/** CPU of nginx's workers per request, from a static upstream up to Upsync's. */
export interface SteadyProfile {
  readonly table: Table;
  /** Where the time goes, in a sentence. */
  readonly why: string;
}

interface Cost {
  readonly what: string;
  readonly microseconds: number;
}

const RUNGS: readonly { readonly what: string; readonly rung: Rung }[] = [
  { what: 'static upstream', rung: { logHook: false, balancer: false } },
  { what: 'and a balancer_by_lua that names servers in turn', rung: { logHook: false, balancer: true } },
  { what: 'and an empty log_by_lua', rung: { logHook: true, balancer: true } },
];
const OURS = 'Upsync';
const CONNECTIONS = 64;
const TURNS = 5;
const TURN_SECONDS = 1;

/**
 * Climbs from nginx's own balancing to ours, a hook at a time, and takes the CPU of each step: what nginx's Lua hooks cost anyone
 * who balances in Lua, and what of it is our code. All of them run all the time and take turns of a second, so that what else the
 * machine does falls on each alike.
 */
export async function profileSteady(context: Context, addresses: readonly string[]): Promise<SteadyProfile> {
  const turns = Math.max(2, Math.round(TURNS * context.scale));
  const steps: { readonly what: string; readonly front: RungFront; readonly taken: number[] }[] = [];
  try {
    for (const { what, rung } of RUNGS)
      steps.push({ what, front: await startRung(rung, addresses), taken: [] });
    steps.push({ what: OURS, front: await startOurs(addresses), taken: [] });
    for (const { front } of steps) await measure(front);
    for (let turn = 0; turn < turns; turn += 1) {
      context.step(`where the time goes, turn ${turn + 1} of ${turns}`);
      for (const { front, taken } of alternate(steps, turn)) taken.push(await measure(front));
    }
  } finally {
    for (const { front } of steps) await front.stop();
  }
  const costs = steps.map(({ what, taken }) => ({ what, microseconds: spread(taken).median }));
  return { table: tableOf(costs, turns), why: whyOf(costs) };
}

async function startOurs(addresses: readonly string[]): Promise<RungFront> {
  const front = await startFront({ variant: 'upsync', servers: addresses });
  return { port: front.port, workers: () => front.workers().map(({ pid }) => pid), stop: front.stop };
}

async function measure(front: RungFront): Promise<number> {
  const before = ownCpuSeconds(front.workers());
  const { requests } = await wrk({
    url: `http://127.0.0.1:${front.port}/`,
    seconds: TURN_SECONDS,
    connections: CONNECTIONS,
  });
  return ((ownCpuSeconds(front.workers()) - before) * 1e6) / requests;
}

function tableOf(costs: readonly Cost[], turns: number): Table {
  return {
    caption: `CPU of nginx's workers per request, a step at a time (wrk, the median of ${turns} turns)`,
    columns: ['nginx with', 'µs per request', 'more than static', 'more than the step before'],
    rows: costs.map(({ what, microseconds }, at) => [
      what,
      pretty(microseconds),
      percent(microseconds, costs[0]!.microseconds),
      percent(microseconds, costs[Math.max(0, at - 1)]!.microseconds),
    ]),
  };
}

function whyOf(costs: readonly Cost[]): string {
  const [still, least, , ours] = costs.map(({ microseconds }) => microseconds) as [
    number,
    number,
    number,
    number,
  ];
  const own = ours > least ? `${pretty(ours - least)} µs are ours` : 'our own is not seen beside it';
  return `A request costs nginx ${pretty(still)} µs of CPU with a static upstream and ${pretty(ours)} µs with Upsync: ${pretty(ours - still)} µs more. Entering Lua once and naming a server cost ${pretty(least - still)} µs, which any balancer in Lua pays; ${own}. wrk saturates nginx with answers of a few bytes, where this shows most.`;
}

function percent(value: number, base: number): string {
  return `${((value / base - 1) * 100).toFixed(1)} %`;
}
