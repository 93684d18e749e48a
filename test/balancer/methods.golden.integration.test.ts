import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BalancerOptions, Method } from '../../src/balancer/balancer.ts';
import { Prng } from '../../src/balancer/prng.ts';
import { createServer, type Server } from '../../src/upstream/server.ts';
import { GoldenNginx, type GoldenUpstream, type HeldRequest } from '../helpers/golden-nginx.ts';
import { BalancerScript } from '../helpers/lua.ts';

// nginx's C code with a static upstream, our code in Node and our code in LuaJIT choose the same servers.
// GOLDEN_SEED=n repeats a failing run.
const SEED = Number(process.env['GOLDEN_SEED'] ?? Math.floor(Math.random() * 1e9));
const LISTS = 16;
const REQUESTS = 80;
const BACKENDS = 70;

const METHODS: { method: Method; directive: string; backup: boolean; holds: boolean }[] = [
  { method: 'round_robin', directive: '', backup: true, holds: false },
  { method: 'least_conn', directive: 'least_conn;', backup: true, holds: true },
  { method: 'ip_hash', directive: 'ip_hash;', backup: false, holds: true },
  { method: 'hash', directive: 'hash $http_x_key;', backup: false, holds: true },
  { method: 'hash_consistent', directive: 'hash $http_x_key consistent;', backup: false, holds: true },
];

let nginx: GoldenNginx;
const upstreams: GoldenUpstream[] = [];

beforeAll(async () => {
  const random = new Prng(SEED);
  nginx = await GoldenNginx.start(BACKENDS, (addresses) => {
    for (const { method, directive, backup } of METHODS) {
      for (let i = 0; i < LISTS; i++)
        upstreams.push({ name: `${method}_${i}`, directive, servers: randomList(random, addresses, backup) });
    }
    return upstreams;
  });
});

afterAll(() => nginx.stop());

describe.each(METHODS)('$method', ({ method, holds }) => {
  test('chooses the servers that nginx chooses, in Node and in LuaJIT', { timeout: 120_000 }, async () => {
    const random = new Prng(SEED + method.length);
    const options: BalancerOptions = { method, seed: 0, loadFactor: 1.25 };
    for (let i = 0; i < LISTS; i++) {
      const upstream = upstreams.find(({ name }) => name === `${method}_${i}`)!;
      const run = new Run(upstream, options, random, holds && i % 3 === 0);
      for (let n = 0; n < REQUESTS; n++) await run.step();
      await run.finish();
    }
  });
});

/** One list under random requests, some of which fail here and there or stay open for a while. */
class Run {
  readonly #script = new BalancerScript();
  readonly #open: { held: HeldRequest; ticket: number; expected: string[] }[] = [];
  readonly #upstream: GoldenUpstream;
  readonly #random: Prng;
  readonly #holds: boolean;
  readonly #options: BalancerOptions;
  readonly #sturdy: string;

  constructor(upstream: GoldenUpstream, options: BalancerOptions, random: Prng, holds: boolean) {
    this.#upstream = upstream;
    this.#random = random;
    this.#holds = holds;
    this.#options = options;
    // Somebody never fails and has no limit: when nobody is left we try all again, which nginx stopped doing in 1.11.
    this.#sturdy = upstream.servers.find((s) => !s.down && !s.backup && s.maxConns === 0)!.address;
    this.#script.create(options, upstream.servers);
  }

  async step(): Promise<void> {
    if (this.#open.length > 0 && this.#random.below(3) === 0) {
      const [request] = this.#open.splice(this.#random.below(this.#open.length), 1);
      await this.#release(request!);
      return;
    }
    const failing = this.#upstream.servers
      .map((server) => server.address)
      .filter((address) => address !== this.#sturdy && this.#random.below(5) === 0);
    const { client, bytes } = randomClient(this.#random);
    const key = this.#options.method === 'ip_hash' ? bytes : `key-${this.#random.below(1000)}`;
    const { tried, ticket } = this.#simulate(key, failing);
    const wanted = { upstream: this.#upstream.name, key, client, failing };
    if (this.#options.method === 'ip_hash') wanted.key = '-';
    if (this.#holds && ticket >= 0 && this.#random.below(2) === 0) {
      this.#open.push({ held: await nginx.hold(wanted), ticket, expected: tried });
      return;
    }
    if (ticket >= 0) this.#script.done(ticket, false, 1000);
    this.#expect((await nginx.send(wanted)).tried, tried);
  }

  async finish(): Promise<void> {
    for (const request of this.#open.splice(0)) await this.#release(request);
    expect(this.#script.inLua(), this.#explain()).toEqual(this.#script.choices);
  }

  async #release(request: { held: HeldRequest; ticket: number; expected: string[] }): Promise<void> {
    const answer = await request.held.release();
    this.#script.done(request.ticket, false, 1000);
    this.#expect(answer.tried, request.expected);
  }

  /** The attempts of one request by our code; `ticket` is the one that succeeded, still open. */
  #simulate(key: string, failing: readonly string[]): { tried: string[]; ticket: number } {
    const tried: string[] = [];
    const tickets: number[] = [];
    for (let left = this.#script.balancer.tries; left > 0; left--) {
      const ticket = this.#script.pick(1000, key, tickets);
      if (ticket < 0) return { tried: [...tried, this.#upstream.name], ticket };
      const { address } = this.#script.peer(ticket).server;
      tried.push(address);
      if (!failing.includes(address)) return { tried, ticket };
      this.#script.done(ticket, true, 1000);
      tickets.push(ticket);
    }
    return { tried, ticket: -1 };
  }

  #expect(actual: string[], expected: string[]): void {
    expect(expected, this.#explain()).toEqual(actual);
  }

  #explain(): string {
    return `GOLDEN_SEED=${SEED} ${JSON.stringify(this.#upstream)}`;
  }
}

/** An IPv4 or IPv6 client: its address as text, and as the bytes that `ip_hash` takes. */
function randomClient(random: Prng): { client: string; bytes: string } {
  const isIpv6 = random.below(3) === 0;
  const octets = Array.from({ length: isIpv6 ? 16 : 4 }, (_, i) => (i === 0 ? 10 : random.below(200)));
  const bytes = String.fromCharCode(...octets);
  if (!isIpv6) return { client: octets.join('.'), bytes };
  return {
    client: Buffer.from(bytes, 'latin1')
      .toString('hex')
      .replace(/(....)(?!$)/g, '$1:'),
    bytes,
  };
}

function randomList(random: Prng, addresses: readonly string[], backups: boolean): Server[] {
  // More than 64 servers need more than one word of nginx's bitmap of tried servers.
  const count = 1 + random.below(random.below(5) === 0 ? addresses.length : 10);
  const pool = [...addresses];
  const servers: Server[] = [];
  for (let i = 0; i < count; i++) {
    const [address] = pool.splice(random.below(pool.length), 1);
    // The first one carries the list: see `Run`.
    const first = i === 0;
    servers.push(
      createServer(address!, {
        weight: 1 + random.below([4, 4, 20, 100][random.below(4)]!),
        maxFails: random.below(4),
        failTimeoutMs: 600_000,
        down: !first && random.below(6) === 0,
        backup: backups && !first && random.below(5) === 0,
        maxConns: first || random.below(3) > 0 ? 0 : 1 + random.below(3),
      }),
    );
  }
  // A server named twice is two servers to nginx.
  if (count > 2 && random.below(4) === 0) servers.push({ ...servers[0]!, weight: 1 + random.below(3) });
  return servers.sort((a, b) => (a.address < b.address ? -1 : 1));
}
