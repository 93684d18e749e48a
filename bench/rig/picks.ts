import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Method } from '../../src/balancer/balancer.ts';
import { createBalancer } from '../../src/balancer/create.ts';
import { createServer, type Server } from '../../src/upstream/server.ts';

/** How the weights of a list are spread: all the same, 1 to 10 over and over, or each of them once. */
export type Weights = 'equal' | '1 to 10' | 'all distinct';

/** A list to pick from, and how often. */
export interface PickCase {
  readonly method: Method;
  readonly servers: number;
  readonly weights: Weights;
  readonly picks: number;
}

function listOf({ servers, weights }: PickCase): Server[] {
  return Array.from({ length: servers }, (_, at) =>
    createServer(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}:80`, { weight: weightOf(at, weights) }),
  );
}

function weightOf(at: number, weights: Weights): number {
  if (weights === 'equal') return 1;
  return weights === '1 to 10' ? 1 + (at % 10) : 1 + at;
}

/** Nanoseconds per pick and its end, and milliseconds to rebuild the whole with one server replaced. */
export interface PickTime {
  readonly pick: number;
  readonly rebuild: number;
}

/** In this process. */
export function inNode(given: PickCase): PickTime {
  const { method, picks } = given;
  const list = listOf(given);
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
  let begun = cpuMs();
  turn(picks);
  const pick = ((cpuMs() - begun) * 1e6) / picks;
  begun = cpuMs();
  balancer = createBalancer(options, [...list.slice(1), createServer('10.255.0.1:80')], balancer);
  return { pick, rebuild: cpuMs() - begun };
}

// As LuaJIT's os.clock: what else the machine does at the time is not counted.
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** In a LuaJIT of its own. */
export function inLua(bundle: string, { method, servers, weights, picks }: PickCase): PickTime {
  const script = path.join(import.meta.dirname, '..', 'pick.lua');
  writeFileSync(script, LUA);
  const args = [script, bundle, method, String(servers), String(picks), weights];
  const [pick, rebuild] = execFileSync('luajit', args, { encoding: 'utf8' }).split(' ').map(Number);
  return { pick: pick!, rebuild: rebuild! };
}

// The same loop as inNode.
const LUA = `
local create = dofile(arg[1]).createBalancer
local method, count, picks, weights = arg[2], tonumber(arg[3]), tonumber(arg[4]), arg[5]
local function server(address, weight)
  return { address = address, weight = weight, maxFails = 2, failTimeoutMs = 10000, down = false, backup = false, maxConns = 0, slowStartMs = 0, drain = false }
end
local list = {}
for at = 0, count - 1 do
  local address = string.format("10.%d.%d.%d:80", math.floor(at / 65536), math.floor(at / 256) % 256, at % 256)
  list[at + 1] = server(address, weights == "equal" and 1 or (1 + (weights == "1 to 10" and at % 10 or at)))
end
local options = { method = method, seed = 0, loadFactor = 1.25 }
local balancer = create(options, list)
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
local took = os.clock() - begun
table.remove(list, 1)
list[count] = server("10.255.0.1:80", 1)
begun = os.clock()
create(options, list, balancer)
print(took * 1e9 / picks .. " " .. (os.clock() - begun) * 1000)
`;
