import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/balancer/prng.ts';
import { createServer, type Server } from '../../src/upstream/server.ts';
import { METHODS } from '../helpers/balancing.ts';
import { BalancerScript } from '../helpers/lua.ts';

// LUA_SEED=n repeats a failing run.
const SEED = Number(process.env['LUA_SEED'] ?? Math.floor(Math.random() * 1e9));

describe.each(METHODS)('%s', (method) => {
  test('makes the same choices in LuaJIT as in Node over updates, failures, slow starts and time', () => {
    const random = new Prng(SEED);
    const script = new BalancerScript();
    let now = 1_000_000;
    let open: number[] = [];
    let tried: number[] = [];
    script.create({ method, seed: 0, loadFactor: 1.25 }, randomServers(random));
    for (let step = 0; step < 3000; step++) {
      const kind = random.below(100);
      if (kind < 2) {
        const seed = random.below(2) * random.below(100_000);
        script.create({ method, seed, loadFactor: 1.25 }, randomServers(random), random.below(4) > 0);
        open = [];
        tried = [];
      } else if (kind < 45 && open.length > 0) {
        const [ticket] = open.splice(random.below(open.length), 1);
        script.done(ticket!, random.below(6) === 0, now, random.below(400) / 7);
      } else if (kind < 60) {
        now += random.below(1500);
      } else {
        if (random.below(3) > 0) tried = [];
        const ticket = script.pick(now, randomKey(random), tried);
        if (ticket < 0) continue;
        open.push(ticket);
        tried = [...tried, ticket];
      }
    }
    expect(script.inLua(), `LUA_SEED=${SEED}`).toEqual(script.choices);
    expect(new Set(script.choices).size).toBeGreaterThan(5);
  });

  test.each([
    ['of a few weights', 5],
    ['of a thousand weights', 1_000_000],
  ])('makes the same choices for a thousand servers %s', (_, heaviest) => {
    const random = new Prng(SEED);
    const script = new BalancerScript();
    const servers = Array.from({ length: 1000 }, (_, i) =>
      createServer(`10.0.${i >> 8}.${i & 255}:8080`, { weight: 1 + random.below(heaviest) }),
    );
    script.create({ method, seed: 42, loadFactor: 1.25 }, servers);
    for (let i = 0; i < 3000; i++) {
      const ticket = script.pick(1000, randomKey(random));
      if (random.below(2) === 0) script.done(ticket, false, 1000, random.below(100));
    }
    expect(script.inLua(), `LUA_SEED=${SEED}`).toEqual(script.choices);
  });
});

/** Four bytes, so that `ip_hash` takes it for an address, and any of 256 values each. */
function randomKey(random: Prng): string {
  return String.fromCharCode(random.below(256), random.below(256), random.below(256), random.below(256));
}

function randomServers(random: Prng): Server[] {
  const count = 1 + random.below(16);
  return Array.from({ length: count }, () => {
    const id = random.below(24);
    const address = [`10.0.0.${id}:80`, `[2001:db8::${id}]:443`, `unix:/run/${id}.sock`][
      random.below(8) % 3
    ]!;
    return createServer(address, {
      weight: 1 + random.below(random.below(4) === 0 ? 60 : 6),
      maxFails: random.below(4),
      failTimeoutMs: 1000 * random.below(10),
      down: random.below(9) === 0,
      drain: random.below(9) === 0,
      backup: random.below(5) === 0,
      maxConns: random.below(3) === 0 ? 1 + random.below(4) : 0,
      slowStartMs: random.below(3) === 0 ? 1000 * random.below(30) : 0,
    });
  });
}
