import { METHODS } from '../../src/balancer/methods.ts';
import { compileBalancer } from '../../test/helpers/lua.ts';
import { inLua, inNode, type PickCase, type PickTime, type Weights } from '../rig/picks.ts';
import type { Context, Scenario, ScenarioReport } from '../scenario.ts';
import { pretty, spread, type Spread } from '../stats.ts';

const MANY = 10_000;
const SIZES = [2, 100, MANY] as const;
const WEIGHTS: readonly Weights[] = ['equal', '1 to 10', 'all distinct'];
const GOAL_NS = 1000;

/** What one pick costs, in Node and in LuaJIT, from the same source. */
export const balancers: Scenario = {
  name: 'balancers',
  title: 'Balancers: time per pick',
  minutes: 0.5,
  run,
};

interface Timed {
  readonly given: PickCase;
  readonly node: readonly PickTime[];
  readonly lua: readonly PickTime[];
}

function time(context: Context, bundle: string, given: PickCase): Timed {
  context.step(`${given.method}, ${given.servers} servers, weights ${given.weights}`);
  return {
    given,
    node: Array.from({ length: context.rounds }, () => inNode(given)),
    lua: Array.from({ length: context.rounds }, () => inLua(bundle, given)),
  };
}

async function run(context: Context): Promise<ScenarioReport> {
  const bundle = compileBalancer(process.cwd());
  const picks = Math.max(20_000, Math.round(300_000 * context.scale));
  const usual = METHODS.map((method) =>
    SIZES.map((servers) => time(context, bundle, { method, servers, weights: '1 to 10', picks })),
  );
  const weighted = WEIGHTS.map((weights) =>
    time(context, bundle, { method: 'round_robin', servers: MANY, weights, picks }),
  );
  await Promise.resolve();
  const worst = Math.max(...weighted.flatMap(({ node, lua }) => [picked(node).median, picked(lua).median]));
  return {
    name: balancers.name,
    title: balancers.title,
    revision: 2,
    method: `One pick and its end, ${picks} times after warming up, in CPU time; the median of ${context.rounds} runs. Rebuild: the whole balancer, when one of ${pretty(MANY)} servers is replaced.`,
    tables: [
      {
        caption: 'Nanoseconds per pick, weights 1 to 10 (milliseconds per rebuild)',
        columns: [
          'method',
          ...SIZES.flatMap((size) => [`${pretty(size)} Node`, `${pretty(size)} LuaJIT`]),
          'rebuild Node ms',
          'rebuild LuaJIT ms',
        ],
        rows: usual.map((sizes, at) => [
          METHODS[at]!,
          ...sizes.flatMap(({ node, lua }) => [pretty(picked(node).median), pretty(picked(lua).median)]),
          ...rebuilds(sizes[sizes.length - 1]!),
        ]),
      },
      {
        caption: `Round robin over ${pretty(MANY)} servers by how their weights are spread`,
        columns: ['weights', 'Node ns', 'LuaJIT ns', 'rebuild Node ms', 'rebuild LuaJIT ms'],
        rows: weighted.map((timed) => [
          timed.given.weights,
          pretty(picked(timed.node).median),
          pretty(picked(timed.lua).median),
          ...rebuilds(timed),
        ]),
      },
    ],
    plots: [
      {
        file: 'balancers.svg',
        title: 'Time per pick, 10 000 servers, LuaJIT',
        unit: 'ns',
        logarithmic: true,
        bars: usual.map((sizes, at) => ({ label: METHODS[at]!, ...picked(sizes[sizes.length - 1]!.lua) })),
      },
    ],
    goals: [
      {
        text: `round robin under a microsecond at ${pretty(MANY)} servers, in Node and in LuaJIT, however the weights are spread`,
        measured: `${pretty(worst)} ns`,
        met: worst < GOAL_NS,
        why: `By weights: ${weighted.map(({ given, node, lua }) => `${given.weights} ${pretty(picked(node).median)} ns in Node and ${pretty(picked(lua).median)} ns in LuaJIT`).join('; ')}.`,
      },
    ],
    measures: Object.fromEntries([...usual.flat(), ...weighted].flatMap(measuresOf)),
  };
}

function picked(times: readonly PickTime[]): Spread {
  return spread(times.map(({ pick }) => pick));
}

function rebuilds({ node, lua }: Timed): string[] {
  return [node, lua].map((times) => pretty(spread(times.map(({ rebuild }) => rebuild)).median));
}

function measuresOf({ given, node, lua }: Timed): [string, number[]][] {
  const { method, servers, weights } = given;
  const name = `balancers ${method} ${servers}${weights === '1 to 10' ? '' : ` ${weights}`}`;
  return [
    [`${name} node ns`, node.map(({ pick }) => pick)],
    [`${name} luajit ns`, lua.map(({ pick }) => pick)],
  ];
}
