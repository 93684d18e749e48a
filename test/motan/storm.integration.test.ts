import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createEmbeddedRegistry } from '../../src/discovery/embedded/registry.ts';
import { consulSources } from '../../src/motan/consul-sources.ts';
import { createDnsServer, type DnsServer } from '../../src/motan/dns/server.ts';
import type { Resolution, Resolver } from '../../src/motan/resolution.ts';
import { createResolver } from '../../src/motan/resolver.ts';
import { createTopology } from '../../src/motan/topology.ts';
import { locateConsul, startConsul } from '../helpers/consul.ts';
import { askUdp, question, read } from '../helpers/dns.ts';

interface Registry {
  readonly url: string;
  readonly close: () => Promise<void>;
}

const consul = await locateConsul();
const REGISTRIES: readonly (readonly [string, () => Promise<Registry>])[] = [
  [
    'the embedded registry',
    async () => {
      const registry = await createEmbeddedRegistry({ listen: '127.0.0.1:0' });
      return { url: registry.url, close: () => registry.close() };
    },
  ],
  ...(consul === undefined
    ? []
    : [
        [
          'a real Consul',
          async () => {
            const running = await startConsul();
            return { url: running.url, close: () => running.stop() };
          },
        ] as const,
      ]),
];

const COUNT = 3000;
/** How long they take to join, and to leave again: ten seconds, or as long as whoever runs it wants. */
const STORM_SECONDS = Number(process.env['UPSYNC_STORM_SECONDS'] ?? 10);
const STORM_MS = STORM_SECONDS * 1000;
/** Between two questions over DNS: some thousands in all, however long it takes. */
const ASKING_MS = STORM_MS / 5000;
const SUBSCRIBERS = 50;
/** Kept after garbage collection, compared with before the storm. Bytes. */
const MOST_KEPT = 24 * 1024 * 1024;
/** The same while it goes on: all 3,000 servers, their registry when it is embedded, and what is under way. Bytes. */
const MOST_MEANWHILE = 48 * 1024 * 1024;
const NAME = 'rs.a.6379';
const hostOf = (at: number): string => `10.${1 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}`;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const heap = (): number => {
  collect();
  return process.memoryUsage().heapUsed;
};
const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MB`;

const TITLE = `3,000 servers that join and leave %s in ${STORM_SECONDS} seconds each`;

describe.each(REGISTRIES)(TITLE, (_, open) => {
  let registry: Registry;
  let other: Registry;
  let resolver: Resolver;
  let dns: DnsServer;
  /** Servers of this storm: no answer may show another one. */
  const possible = new Set<string>();

  beforeAll(async () => {
    registry = await open();
    other = await createEmbeddedRegistry({ listen: '127.0.0.1:0' }).then((one) => ({
      url: one.url,
      close: () => one.close(),
    }));
    await put(other.url, '/v1/agent/service/register', {
      ID: 'b',
      Name: 'rs',
      Address: '10.99.0.1',
      Port: 6379,
    });
    resolver = createResolver({
      topology: createTopology({ local: 'a', idcs: [{ name: 'a' }, { name: 'b', registry: other.url }] }),
      ...consulSources({ addresses: [registry.url] }),
      hold: { emptyGraceMs: 1000 },
    });
    dns = await createDnsServer({ resolver, listen: { port: 0 }, maxAnswers: 1 });
  });

  afterAll(async () => {
    await dns?.close();
    await resolver?.close();
    await Promise.all([registry?.close(), other?.close()]);
  });

  async function put(url: string, path: string, body?: unknown): Promise<void> {
    const reply = await fetch(url + path, { method: 'PUT', body: JSON.stringify(body) ?? null });
    await reply.arrayBuffer();
    expect(reply.status).toBe(200);
  }

  /** Does something for every server, spread evenly over the time, a few at once. */
  async function spread(each: (at: number) => Promise<void>): Promise<void> {
    const start = performance.now();
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let at = next++; at < COUNT; at = next++) {
        const early = (at / COUNT) * STORM_MS - (performance.now() - start);
        if (early > 0) await sleep(early);
        await each(at);
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
  }

  const join = async (at: number): Promise<void> => {
    const host = hostOf(at);
    possible.add(host);
    await put(registry.url, '/v1/agent/service/register', {
      ID: host,
      Name: 'rs',
      Address: host,
      Port: 6379,
    });
  };
  const leave = async (at: number): Promise<void> => {
    await put(registry.url, `/v1/agent/service/deregister/${hostOf(at)}`);
  };

  it(
    'give no wrong answer, keep no memory, and leave each subscriber with the end state',
    { timeout: 2 * STORM_MS + 100_000 },
    async () => {
      await resolver.ready(NAME);
      const before = heap();
      const wrong = new Set<string>();
      const last = new Array<Resolution | undefined>(SUBSCRIBERS);
      const told = new Array<number>(SUBSCRIBERS).fill(0);
      let fewest = 0;
      let isJoining = true;
      const check = (resolution: Resolution): void => {
        const own = resolution.servers.filter(({ idc }) => idc === 'a');
        if (own.some(({ host }) => !possible.has(host))) wrong.add('a server nobody registered');
        const sum = resolution.servers.reduce((all, { share }) => all + share, 0);
        if (Math.abs(sum - 1) > 1e-6) wrong.add(`shares that add up to ${sum}`);
        if (isJoining && own.length < fewest) wrong.add('a server that went while all joined');
        if (isJoining) fewest = own.length;
        for (const { code, idc } of resolution.reasons)
          if (idc === 'a' && code !== 'EMPTY_HELD') wrong.add(code);
      };
      const subscriptions = Array.from({ length: SUBSCRIBERS }, (_none, at) =>
        resolver.subscribe(NAME, (resolution) => {
          if (at === 0) check(resolution);
          if (last[at] !== undefined && resolution.version <= last[at].version)
            wrong.add('an older version after a newer one');
          last[at] = resolution;
          told[at]!++;
        }),
      );
      let isAsking = true;
      let answers = 0;
      const asking = (async () => {
        while (isAsking) {
          const reply = read(await askUdp(dns.port, question(NAME, 'A')));
          const [first] = (reply.answers ?? []) as { data?: string }[];
          if (reply.rcode !== 'NOERROR') wrong.add(`DNS ${reply.rcode}`);
          else if (first?.data !== '10.99.0.1' && !possible.has(String(first?.data)))
            wrong.add('DNS: a server nobody registered');
          answers++;
          await sleep(ASKING_MS);
        }
      })();
      let most = 0;
      const measuring = setInterval(() => (most = Math.max(most, heap() - before)), STORM_MS / 10);
      onTestFinished(() => clearInterval(measuring));

      await spread(join);
      const isEverywhere = (count: number): boolean =>
        last.every((one) => one?.idcs[0]!.servers === count && one === resolver.resolve(NAME));
      await expect.poll(() => isEverywhere(COUNT), { timeout: 20_000 }).toBe(true);
      expect(resolver.resolve(NAME).idcs[0]).toMatchObject({ share: 1, healthy: COUNT, state: 'live' });

      isJoining = false;
      await spread(leave);
      await expect.poll(() => isEverywhere(0), { timeout: 20_000 }).toBe(true);
      expect(resolver.resolve(NAME).idcs[1]).toMatchObject({ share: 1, state: 'live' });
      possible.clear();
      isAsking = false;
      await asking;
      clearInterval(measuring);

      expect([...wrong]).toEqual([]);
      expect(answers).toBeGreaterThan(100);
      console.log(
        `${told[0]} answers told to each of ${SUBSCRIBERS} subscribers, ${answers} asked for over DNS`,
      );
      for (const subscription of subscriptions) subscription.unsubscribe();
      last.fill(undefined);
      const kept = heap() - before;
      console.log(`${megabytes(kept)} more than before the storm, at most ${megabytes(most)} meanwhile`);
      expect(kept).toBeLessThan(MOST_KEPT);
      expect(most).toBeLessThan(MOST_MEANWHILE);
    },
  );

  it('are out at once when they deregister all together, since that is a decision and no failure', async () => {
    const count = 100;
    for (let at = 0; at < count; at++) await join(at);
    const own = () => resolver.resolve(NAME).idcs[0]!;
    await expect.poll(() => own().servers).toBe(count);
    await Promise.all(Array.from({ length: count - 5 }, (_none, at) => leave(at)));
    await expect.poll(() => own().servers).toBe(5);
    expect(own()).toMatchObject({ share: 1, healthy: 5, panic: false, state: 'live' });
    expect(resolver.resolve(NAME).reasons).toEqual([]);
  });
});

describe('servers that fail all together', () => {
  it('are kept by three fifths when nobody else can serve, and those that deregister are not', async () => {
    const registry = await createEmbeddedRegistry({ listen: '127.0.0.1:0' });
    const call = async (path: string, body?: unknown) => {
      const reply = await fetch(registry.url + path, { method: 'PUT', body: JSON.stringify(body) ?? null });
      expect(reply.status).toBe(200);
    };
    const resolver = createResolver({
      topology: createTopology({ local: 'a', idcs: [{ name: 'a' }] }),
      ...consulSources({ addresses: [registry.url] }),
    });
    try {
      for (let at = 0; at < 50; at++) {
        const Check = { TTL: '60s', Status: 'passing' };
        const body = { ID: hostOf(at), Name: 'rs', Address: hostOf(at), Port: 6379, Check };
        await call('/v1/agent/service/register', body);
      }
      await expect.poll(async () => (await resolver.ready(NAME)).idcs[0]!.healthy).toBe(50);
      for (let at = 0; at < 24; at++) await call(`/v1/agent/check/fail/service:${hostOf(at)}`);
      const used = () => resolver.resolve(NAME).servers.filter(({ share }) => share > 0).length;
      await expect.poll(() => resolver.resolve(NAME).idcs[0]!.healthy).toBe(26);
      // Three fifths of 50; the 24 that fail count until somebody takes them out.
      await expect.poll(used).toBe(30);
      expect(resolver.resolve(NAME).reasons.map(({ code }) => code)).toContain('REMOVAL_CAP');
      for (let at = 0; at < 24; at++) await call(`/v1/agent/service/deregister/${hostOf(at)}`);
      await expect.poll(() => resolver.resolve(NAME).servers.length).toBe(26);
      expect(used()).toBe(26);
      expect(resolver.resolve(NAME).reasons).toEqual([]);
    } finally {
      await resolver.close();
      await registry.close();
    }
  });
});
