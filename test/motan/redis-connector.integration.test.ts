import { Redis } from 'ioredis';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { connectTo } from '../../src/motan/connect/connect.ts';
import { clusterNodes, redisConnector, type RedisConnectorOptions } from '../../src/motan/redis-connector.ts';
import type { ProviderList } from '../../src/motan/provider.ts';
import { createResolver } from '../../src/motan/resolver.ts';
import type { Resolver } from '../../src/motan/resolution.ts';
import { createTopology } from '../../src/motan/topology.ts';
import { provider } from '../helpers/motan-providers.ts';
import { listOf, MemoryRegistry, queryKey, until } from '../helpers/motan-registry.ts';
import { scratchFolder } from '../helpers/scratch-folder.ts';
import { type RedisProcess, startRedis } from '../helpers/redis.ts';
import { freePort } from '../helpers/ports.ts';

const HOSTS = { a: '127.0.1.1', b: '127.0.2.1', cloud: '127.0.3.1' } as const;
type Idc = keyof typeof HOSTS;

let registry: MemoryRegistry<ProviderList>;
let resolver: Resolver;
let servers: Record<Idc, RedisProcess>;
let name: string;
let port: number;

beforeEach(async () => {
  registry = new MemoryRegistry();
  port = await freePort(...Object.values(HOSTS));
  name = `rs.a.${port}`;
  const started = await Promise.all(Object.values(HOSTS).map((host) => startRedis(host, port)));
  servers = { a: started[0]!, b: started[1]!, cloud: started[2]! };
  for (const idc of ['a', 'b', 'cloud'] as const) tell(idc, true);
  resolver = createResolver({
    topology: createTopology({ local: 'a', idcs: [{ name: 'a' }, { name: 'b' }, { name: 'cloud' }] }),
    providers: (query) => registry.source(queryKey(query)),
    settleMs: 200,
  });
  onTestFinished(() => resolver.close());
});

function tell(idc: Idc, isUp: boolean): void {
  const one = provider(1, {
    host: HOSTS[idc],
    port,
    address: `${HOSTS[idc]}:${port}`,
    health: isUp ? 'passing' : 'critical',
  });
  registry.set(`${idc === 'a' ? 'local' : idc}/rs`, listOf([one]));
}

function client(options: RedisConnectorOptions = {}): Redis {
  const redis = new Redis({ Connector: redisConnector(resolver, name, options) });
  redis.on('error', () => undefined);
  onTestFinished(() => redis.disconnect());
  return redis;
}

/** Where a client is, as its server sees it. */
async function where(redis: Redis): Promise<string> {
  return /laddr=([\d.]+):/.exec(await redis.client('INFO'))![1]!;
}

describe('redisConnector', () => {
  it('connects to the best server of the name', async () => {
    const redis = client();
    expect(await where(redis)).toBe(HOSTS.a);
    await redis.set('k', 'v');
    expect(await redis.get('k')).toBe('v');
  });

  it('moves when its server dies, with no command lost, before the registry knows', async () => {
    const redis = client();
    expect(await where(redis)).toBe(HOSTS.a);
    await servers.a.kill();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => redis.set(`k${at}`, at)));
    expect(new Set(answers)).toEqual(new Set(['OK']));
    expect(await where(redis)).toBe(HOSTS.b);
    tell('a', false);
    expect(await where(redis)).toBe(HOSTS.b);
  });

  it('returns to its server when that is back, although the registry saw nothing', async () => {
    const redis = client({ avoidMs: 200 });
    expect(await where(redis)).toBe(HOSTS.a);
    await servers.a.kill();
    expect(await where(redis)).toBe(HOSTS.b);
    await startRedis(HOSTS.a, port);
    await expect.poll(() => where(redis), { timeout: 5000 }).toBe(HOSTS.a);
  });

  it('moves when the IDC is switched, back when it is switched back, and answers everything meanwhile', async () => {
    const redis = client();
    expect(await where(redis)).toBe(HOSTS.a);
    let sent = 0;
    let answered = 0;
    const timer = setInterval(() => {
      sent++;
      void redis.incr('n').then(() => answered++);
    }, 2);
    resolver.plan('*', { weights: { a: 0, b: 1, cloud: 0 }, reason: 'switch' });
    await expect.poll(() => where(redis), { timeout: 5000 }).toBe(HOSTS.b);
    resolver.plan('*', undefined);
    await expect.poll(() => where(redis), { timeout: 5000 }).toBe(HOSTS.a);
    clearInterval(timer);
    await until(() => answered === sent, 'an answer to each command');
  });

  it('waits for a server while there is none', async () => {
    for (const idc of ['a', 'b', 'cloud'] as const)
      registry.set(`${idc === 'a' ? 'local' : idc}/rs`, listOf([]));
    const redis = client();
    const answer = redis.set('k', 'v');
    tell('cloud', true);
    expect(await answer).toBe('OK');
    expect(await where(redis)).toBe(HOSTS.cloud);
  });

  it('spreads readers by weight', async () => {
    resolver.plan('*', { weights: { a: 70, b: 20, cloud: 10 }, reason: 'evening' });
    await resolver.ready(name);
    const readers = Array.from({ length: 100 }, () => client({ role: 'reader' }));
    const places = await Promise.all(readers.map(where));
    const count = (idc: Idc): number => places.filter((place) => place === HOSTS[idc]).length;
    // Five standard deviations of a binomial with n = 100.
    expect(Math.abs(count('a') - 70)).toBeLessThan(23);
    expect(Math.abs(count('b') - 20)).toBeLessThan(20);
    expect(count('a')).toBeGreaterThan(count('cloud'));
  });

  it('moves as many readers as a plan asks for, and back, and gives a server that returns its part', async () => {
    const readers = Array.from({ length: 100 }, () => client({ role: 'reader', avoidMs: 300 }));
    const count = async (idc: Idc): Promise<number> => {
      const places = await Promise.all(readers.map(where));
      return places.filter((place) => place === HOSTS[idc]).length;
    };
    expect(await count('a')).toBe(100);
    resolver.plan('*', { weights: { a: 50, b: 50 }, reason: 'evening' });
    // Five standard deviations of a binomial with n = 100.
    await expect.poll(async () => Math.abs((await count('b')) - 50)).toBeLessThan(25);
    await servers.b.kill();
    await expect.poll(() => count('a')).toBe(100);
    await startRedis(HOSTS.b, port);
    await expect.poll(async () => Math.abs((await count('b')) - 50)).toBeLessThan(25);
    resolver.plan('*', undefined);
    await expect.poll(() => count('a')).toBe(100);
  });

  it('ends for good when the client is closed, also while it waits for a server', async () => {
    const redis = client();
    await where(redis);
    await redis.quit();
    await until(() => redis.status === 'end', 'the end');
    for (const idc of ['a', 'b', 'cloud'] as const)
      registry.set(`${idc === 'a' ? 'local' : idc}/rs2`, listOf([]));
    const waiting = new Redis({ Connector: redisConnector(resolver, `rs2.a.${port}`) });
    waiting.on('error', () => undefined);
    waiting.disconnect();
    await until(() => waiting.status === 'end', 'the end');
  });
});

describe('other resources', () => {
  it('opens a socket to a live server, past one that is dead', async () => {
    await servers.a.kill();
    resolver.plan('*', { weights: { a: 1, b: 1, cloud: 0 }, reason: 'both' });
    for (let turn = 0; turn < 5; turn++) {
      const socket = await connectTo(resolver, name);
      expect(socket.remoteAddress).toBe(HOSTS.b);
      socket.destroy();
    }
  });

  it('gives the start nodes of a cluster, which an ioredis cluster client starts from', async () => {
    expect(await clusterNodes(resolver, name)).toEqual([{ host: HOSTS.a, port }]);
    const folder = scratchFolder();
    const clusterPort = await freePort(HOSTS.a);
    const bus = await freePort(HOSTS.a);
    await startRedis(
      HOSTS.a,
      clusterPort,
      ...['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--dir', folder],
      ...['--cluster-announce-ip', HOSTS.a],
    );
    const single = new Redis(clusterPort, HOSTS.a);
    await single.cluster('ADDSLOTSRANGE', 0, 16_383);
    const isReady = async () => (await single.cluster('INFO')).includes('cluster_state:ok');
    await expect.poll(isReady, { timeout: 8000 }).toBe(true);
    single.disconnect();
    const one = { host: HOSTS.a, port: clusterPort, address: `${HOSTS.a}:${clusterPort}` };
    registry.set('local/rc', listOf([provider(1, one)]));
    const nodes = await clusterNodes(resolver, `rc.a.${clusterPort}`);
    const cluster = new Redis.Cluster(nodes);
    onTestFinished(() => cluster.disconnect());
    await cluster.set('k', 'v');
    expect(await cluster.get('k')).toBe('v');
  });
});
