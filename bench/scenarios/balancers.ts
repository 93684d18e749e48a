import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Method } from '../../src/balancer/balancer.ts';
import { METHODS } from '../../src/balancer/methods.ts';
import { createBalancer } from '../../src/balancer/create.ts';
import { createServer, type Server } from '../../src/upstream/server.ts';
import { compileBalancer } from '../../test/helpers/lua.ts';
import type { Context, Scenario, ScenarioReport } from '../scenario.ts';
import { pretty, spread } from '../stats.ts';

const SIZES = [2, 100, 10_000] as const;
const GOAL_NS = 1000;

/** What one pick costs, in Node and in LuaJIT, from the same source. */
export const balancers: Scenario = {
  name: 'balancers',
  title: 'Balancers: time per pick',
  minutes: 1.5,
  run,
};

function servers(count: number): Server[] {
  return Array.from({ length: count }, (_, at) =>
    createServer(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}:80`, { weight: 1 + (at % 10) }),
  );
}

function inNode(method: Method, count: number, picks: number): { pick: number; rebuild: number } {
  const list = servers(count);
  const options = { method, seed: 0, loadFactor: 1.25 };
  let balancer = createBalancer(options, list);
  const keys = Array.from({ length: 1024 }, (_, at) =>
    method === 'ip_hash' ? String.fromCharCode(10, at & 255, at >> 8, 1) : `key-${at}`,
  );
  const request = { now: 1, key: '', tried: [] };
  const turn = (times: number): void => {
    for (let i = 0; i < times; i += 1) {
      request.key = keys[i & 1023]!;
      request.now += 0.01;
      const peer = balancer.pick(request)!;
      balancer.done(peer, false, request.now, 1);
    }
  };
  turn(Math.min(picks, 50_000));
  let begun = performance.now();
  turn(picks);
  const pick = ((performance.now() - begun) * 1e6) / picks;
  begun = performance.now();
  balancer = createBalancer(options, [...list.slice(1), createServer('10.255.0.1:80')], balancer);
  return { pick, rebuild: performance.now() - begun };
}

function inLua(bundle: string, method: Method, count: number, picks: number): number {
  const script = path.join(import.meta.dirname, '..', 'pick.lua');
  writeFileSync(script, LUA);
  return Number(
    execFileSync('luajit', [script, bundle, method, String(count), String(picks)], { encoding: 'utf8' }),
  );
}

// The same loop as inNode.
const LUA = `
local create = dofile(arg[1]).createBalancer
local method, count, picks = arg[2], tonumber(arg[3]), tonumber(arg[4])
local list = {}
for at = 0, count - 1 do
  local address = string.format("10.%d.%d.%d:80", math.floor(at / 65536), math.floor(at / 256) % 256, at % 256)
  list[at + 1] = { address = address, weight = 1 + at % 10, maxFails = 2, failTimeoutMs = 10000, down = false, backup = false, maxConns = 0, slowStartMs = 0, drain = false }
end
local balancer = create({ method = method, seed = 0, loadFactor = 1.25 }, list)
local keys = {}
for at = 0, 1023 do
  keys[at] = method == "ip_hash" and string.char(10, at % 256, math.floor(at / 256), 1) or ("key-" .. at)
end
local request = { now = 1, key = "", tried = {} }
local function turn(times)
  for i = 0, times - 1 do
    request.key = keys[i % 1024]
    request.now = request.now + 0.01
    local peer = balancer:pick(request)
    balancer:done(peer, false, request.now, 1)
  end
end
turn(math.min(picks, 50000))
local begun = os.clock()
turn(picks)
print((os.clock() - begun) * 1e9 / picks)
`;

async function run(context: Context): Promise<ScenarioReport> {
  const bundle = compileBalancer(process.cwd());
  const picks = Math.max(20_000, Math.round(300_000 * context.scale));
  const rows: string[][] = [];
  const measures: Record<string, number[]> = {};
  for (const method of METHODS) {
    const cells: string[] = [];
    for (const size of SIZES) {
      context.step(`${method}, ${size} servers`);
      const node = Array.from({ length: context.rounds }, () => inNode(method, size, picks));
      const lua = Array.from({ length: context.rounds }, () => inLua(bundle, method, size, picks));
      measures[`balancers ${method} ${size} node ns`] = node.map(({ pick }) => pick);
      measures[`balancers ${method} ${size} luajit ns`] = lua;
      cells.push(pretty(spread(node.map(({ pick }) => pick)).median), pretty(spread(lua).median));
      if (size === 10_000) cells.push(pretty(spread(node.map(({ rebuild }) => rebuild)).median));
    }
    rows.push([method, ...cells]);
    await Promise.resolve();
  }
  const worst = Math.max(
    spread(measures['balancers round_robin 10000 node ns']!).median,
    spread(measures['balancers round_robin 10000 luajit ns']!).median,
  );
  return {
    name: balancers.name,
    title: balancers.title,
    method: `One pick and its end, ${picks} times after warming up, weights 1 to 10; the median of ${context.rounds} runs. The last column is the rebuild of the whole balancer when one of 10 000 servers is replaced.`,
    tables: [
      {
        caption: 'Nanoseconds per pick (milliseconds per rebuild)',
        columns: [
          'method',
          ...SIZES.flatMap((size) => [`${pretty(size)} Node`, `${pretty(size)} LuaJIT`]),
          'rebuild Node ms',
        ],
        rows,
      },
    ],
    plots: [
      {
        file: 'balancers.svg',
        title: 'Time per pick, 10 000 servers, LuaJIT',
        unit: 'ns',
        logarithmic: true,
        bars: METHODS.map((method) => ({
          label: method,
          ...spread(measures[`balancers ${method} 10000 luajit ns`]!),
        })),
      },
    ],
    goals: [
      {
        text: 'round robin under a microsecond at 10 000 servers, in Node and in LuaJIT',
        measured: `${pretty(worst)} ns`,
        met: worst < GOAL_NS,
      },
    ],
    measures,
  };
}
