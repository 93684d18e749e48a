import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Method, Peer } from '../../src/balancer/balancer.ts';
import { createServer, type Server } from '../../src/upstream/server.ts';
import { balance, nameOf, optionsOf, pickOne } from '../helpers/balancing.ts';
import { GoldenNginx, type GoldenUpstream } from '../helpers/golden-nginx.ts';
import { BalancerScript } from '../helpers/lua.ts';

const KEYS = Array.from({ length: 60 }, (_, i) => i);
const HASHES: { method: Method; directive: string }[] = [
  { method: 'ip_hash', directive: 'ip_hash;' },
  { method: 'hash', directive: 'hash $http_x_key;' },
  { method: 'hash_consistent', directive: 'hash $http_x_key consistent;' },
];
const RANDOMS: { method: Method; directive: string }[] = [
  { method: 'random', directive: 'random;' },
  { method: 'random_two_least_conn', directive: 'random two least_conn;' },
];
const DRAWS = 3000;

let nginx: GoldenNginx;
const upstreams = new Map<string, GoldenUpstream>();

beforeAll(async () => {
  nginx = await GoldenNginx.start(8, (addresses) => {
    const add = (upstream: GoldenUpstream): unknown => upstreams.set(upstream.name, upstream);
    for (const { method, directive } of HASHES) {
      for (const [stage, servers] of Object.entries(stages(addresses)))
        add({ name: `${method}_${stage}`, directive, servers });
    }
    for (const { method, directive } of RANDOMS) {
      const servers = [1, 2, 4, 1].map((weight, i) => createServer(addresses[i]!, { weight, down: i === 3 }));
      add({ name: method, directive, servers });
    }
    const servers = [0, 1, 2].map((i) => createServer(addresses[i]!, { maxFails: 1, failTimeoutMs: 2000 }));
    add({ name: 'timeout', directive: '', servers });
    return [...upstreams.values()];
  });
});

afterAll(() => nginx.stop());

/** One list through an addition, a removal, a change of weight and a server going down. */
function stages(addresses: readonly string[]): Record<string, Server[]> {
  const base = addresses.slice(0, 6).map((address, i) => createServer(address, { weight: 1 + (i % 3) }));
  return {
    start: base,
    more: [...base, createServer(addresses[6]!, { weight: 2 })],
    less: base.filter((_, i) => i !== 2),
    heavier: base.map((server, i) => (i === 4 ? { ...server, weight: 7 } : server)),
    down: base.map((server, i) => (i === 1 ? { ...server, down: true } : server)),
  };
}

describe.each(HASHES)('$method', ({ method }) => {
  test('maps 60 keys as nginx does, before and after each change of the list', async () => {
    const script = new BalancerScript();
    for (const stage of ['start', 'more', 'less', 'heavier', 'down', 'start']) {
      const upstream = upstreams.get(`${method}_${stage}`)!;
      script.create(optionsOf(method), upstream.servers, script.balancer !== undefined);
      for (const number of KEYS) {
        const client = `10.${number * 3}.${(number * 7) % 256}.1`;
        const key =
          method === 'ip_hash' ? String.fromCharCode(...client.split('.').map(Number)) : `key-${number}`;
        const ticket = script.pick(1000, key);
        script.done(ticket, false, 1000);
        const answer = await nginx.send({ upstream: upstream.name, key: `key-${number}`, client });
        expect([script.peer(ticket).server.address], `${stage}, key ${number}`).toEqual(answer.tried);
      }
    }
    expect(script.inLua()).toEqual(script.choices);
  });
});

describe.each(RANDOMS)('$method', ({ method }) => {
  test('gives every server the share that nginx gives it', async () => {
    const { servers } = upstreams.get(method)!;
    const balancer = balance(method, servers);
    const ours = new Map<string, number>();
    const theirs = new Map<string, number>();
    for (let i = 0; i < DRAWS; i++) {
      const peer = pickOne(balancer)!;
      balancer.done(peer, false, 1000, 1);
      ours.set(peer.server.address, (ours.get(peer.server.address) ?? 0) + 1);
      const [address] = (await nginx.send({ upstream: method })).tried;
      theirs.set(address!, (theirs.get(address!) ?? 0) + 1);
    }
    // Five standard deviations of a difference of two such counts.
    for (const { address } of servers) {
      expect(Math.abs((ours.get(address) ?? 0) - (theirs.get(address) ?? 0))).toBeLessThan(200);
    }
  });
});

test('brings a failed server back as nginx does: one probe after fail_timeout, then its share', async () => {
  const { servers, name } = upstreams.get('timeout')!;
  const balancer = balance('round_robin', servers);
  const start = performance.now();
  const both = async (failing: readonly string[] = []): Promise<string[]> => {
    const now = performance.now() - start + 100_000;
    const tried: Peer[] = [];
    for (;;) {
      const peer = pickOne(balancer, '', tried, now)!;
      const failed = failing.includes(peer.server.address);
      balancer.done(peer, failed, now, 1);
      tried.push(peer);
      if (!failed) break;
    }
    const answer = await nginx.send({ upstream: name, failing });
    expect(tried.map(nameOf)).toEqual(answer.tried);
    return answer.tried;
  };
  const bad = servers[1]!.address;
  for (let i = 0; i < 5; i++) await both([bad]);
  for (let i = 0; i < 5; i++) expect(await both()).not.toContain(bad);
  // nginx counts whole seconds: a timeout of two ends up to three later.
  await new Promise((resolve) => setTimeout(resolve, 3100));
  const after: string[] = [];
  for (let i = 0; i < 6; i++) after.push(...(await both()));
  expect(after.filter((address) => address === bad).length).toBeGreaterThan(0);

  // Fails again, and is then on probation: while the probe is open nobody else goes there.
  while (!(await both([bad])).includes(bad));
  await new Promise((resolve) => setTimeout(resolve, 3100));
  const probes = [];
  for (let i = 0; i < 6; i++) {
    const peer = pickOne(balancer, '', [], performance.now() - start + 100_000)!;
    const held = await nginx.hold({ upstream: name });
    probes.push({ peer, held });
  }
  for (const { peer, held } of probes) {
    const answer = await held.release();
    expect(answer.tried).toEqual([nameOf(peer)]);
    balancer.done(peer, false, performance.now() - start + 100_000, 1);
  }
  expect(probes.filter(({ peer }) => peer.server.address === bad)).toHaveLength(1);
});
