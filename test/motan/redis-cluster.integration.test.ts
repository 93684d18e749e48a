import { Redis } from 'ioredis';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { clusterLookup } from '../../src/motan/connect/cluster-lookup.ts';
import { followCluster } from '../../src/motan/connect/follow-cluster.ts';
import type { ProviderList } from '../../src/motan/provider.ts';
import { clusterNodes, redisConnector } from '../../src/motan/redis-connector.ts';
import type { Resolver } from '../../src/motan/resolution.ts';
import { createResolver } from '../../src/motan/resolver.ts';
import { createTopology } from '../../src/motan/topology.ts';
import { provider } from '../helpers/motan-providers.ts';
import { listOf, MemoryRegistry, queryKey } from '../helpers/motan-registry.ts';
import { hasRedisTls, startRedis, startRedisCluster } from '../helpers/redis.ts';
import { scratchFolder } from '../helpers/scratch-folder.ts';
import { createAuthority } from '../helpers/test-certificates.ts';
import { freePort } from '../helpers/ports.ts';

const HOSTS = {
  a: ['127.0.1.1', '127.0.1.2', '127.0.1.3'],
  b: ['127.0.2.1', '127.0.2.2', '127.0.2.3'],
} as const;

let registry: MemoryRegistry<ProviderList>;
let resolver: Resolver;

beforeEach(() => {
  registry = new MemoryRegistry();
  resolver = createResolver({
    topology: createTopology({ local: 'a', idcs: [{ name: 'a' }, { name: 'b' }] }),
    providers: (query) => registry.source(queryKey(query)),
    settleMs: 200,
  });
  onTestFinished(() => resolver.close());
});

function tell(idc: 'a' | 'b', hosts: readonly string[], port: number): void {
  const list = hosts.map((host, at) => provider(at + 1, { host, port, address: `${host}:${port}` }));
  registry.set(`${idc === 'a' ? 'local' : idc}/rc`, listOf(list));
}

function clusterOn(
  ...[nodes, options]: ConstructorParameters<typeof Redis.Cluster>
): InstanceType<typeof Redis.Cluster> {
  const cluster = new Redis.Cluster(nodes, { clusterRetryStrategy: () => 50, ...options });
  cluster.on('error', () => undefined);
  onTestFinished(() => cluster.disconnect());
  return cluster;
}

const mastersOf = (cluster: ReturnType<typeof clusterOn>): string[] =>
  cluster
    .nodes('master')
    .map(({ options }) => options.host!)
    .sort();

const KEYS = Array.from({ length: 60 }, (_, at) => `key-${at}`);

describe('a Redis cluster of three masters', () => {
  it('is used whole from the servers of a name, and by readers of its keys everywhere', async () => {
    const port = await freePort(...HOSTS.a);
    await startRedisCluster(HOSTS.a, port);
    tell('a', HOSTS.a, port);
    tell('b', [], port);
    const nodes = await clusterNodes(resolver, `rc.a.${port}`);
    expect(nodes).toEqual(HOSTS.a.map((host) => ({ host, port })));
    const cluster = clusterOn(nodes);
    await Promise.all(KEYS.map((key) => cluster.set(key, `of ${key}`)));
    expect(await Promise.all(KEYS.map((key) => cluster.get(key)))).toEqual(KEYS.map((key) => `of ${key}`));
    const masters = cluster.nodes('master');
    expect(masters.map(({ options }) => options.host).sort()).toEqual([...HOSTS.a]);
    const sizes = await Promise.all(masters.map((node) => node.dbsize()));
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(KEYS.length);
  });

  it('is found again by its name when every node the client knew is gone, in the next IDC', async () => {
    const port = await freePort(...HOSTS.a, ...HOSTS.b);
    const [first] = await Promise.all([startRedisCluster(HOSTS.a, port), startRedisCluster(HOSTS.b, port)]);
    tell('a', HOSTS.a, port);
    tell('b', HOSTS.b, port);
    const name = `rc.a.${port}`;
    const cluster = clusterOn([{ host: name, port }], { dnsLookup: clusterLookup(resolver) });
    await cluster.set('where', 'a');
    const known = () =>
      cluster
        .nodes('master')
        .map(({ options }) => options.host!)
        .sort();
    expect(known()).toEqual([...HOSTS.a]);
    await Promise.all(first.map((node) => node.kill()));
    // The registry still calls them healthy: what counts is who takes connections.
    await expect.poll(() => cluster.set('where', 'b').catch(() => undefined), { timeout: 20_000 }).toBe('OK');
    expect(known()).toEqual([...HOSTS.b]);
  });

  it('is left for that of another IDC when the client is told to look anew after a switch', async () => {
    const port = await freePort(...HOSTS.a, ...HOSTS.b);
    await Promise.all([startRedisCluster(HOSTS.a, port), startRedisCluster(HOSTS.b, port)]);
    tell('a', HOSTS.a, port);
    tell('b', HOSTS.b, port);
    const name = `rc.a.${port}`;
    const cluster = clusterOn([{ host: name, port }], { dnsLookup: clusterLookup(resolver) });
    await cluster.set('k', 'a');
    resolver.plan('rc', { weights: { b: 1 }, reason: 'switch' });
    await expect.poll(() => resolver.resolve(name).idcs[1]!.share).toBe(1);
    cluster.disconnect(true);
    await expect
      .poll(() =>
        cluster
          .nodes('master')
          .map(({ options }) => options.host!)
          .sort(),
      )
      .toEqual([...HOSTS.b]);
    expect(await cluster.get('k')).toBeNull();
  });

  it('is left for that of the IDC to which traffic is switched, and taken up again, without losing a command', async () => {
    const port = await freePort(...HOSTS.a, ...HOSTS.b);
    await Promise.all([startRedisCluster(HOSTS.a, port), startRedisCluster(HOSTS.b, port)]);
    tell('a', HOSTS.a, port);
    tell('b', HOSTS.b, port);
    const name = `rc.a.${port}`;
    const cluster = clusterOn([{ host: name, port }], { dnsLookup: clusterLookup(resolver) });
    followCluster(cluster, resolver, name);
    await cluster.set('k', 'a');
    let isOver = false;
    let done = 0;
    const failures: unknown[] = [];
    const clients = Array.from({ length: 50 }, async (_none, client) => {
      while (!isOver)
        await cluster.set(`of ${client} ${done}`, 'x'.repeat(client * 100)).then(
          () => done++,
          (error: unknown) => failures.push(error),
        );
    });
    for (const [weights, hosts] of [
      [{ b: 1 }, HOSTS.b],
      [{ a: 9, b: 1 }, HOSTS.b],
      [{ a: 1 }, HOSTS.a],
    ] as const) {
      resolver.plan('rc', { weights, reason: 'switch' });
      await expect.poll(() => mastersOf(cluster)).toEqual([...hosts]);
      const before = done;
      await expect.poll(() => done).toBeGreaterThan(before + 500);
      expect(mastersOf(cluster)).toEqual([...hosts]);
    }
    // Deregistered, though it lives.
    tell('a', [], port);
    resolver.plan('rc', undefined);
    await expect.poll(() => mastersOf(cluster), { timeout: 20_000 }).toEqual([...HOSTS.b]);
    isOver = true;
    await Promise.all(clients);
    expect(failures).toEqual([]);
    expect(await cluster.get('k')).toBeNull();
  });

  it('is kept while nobody takes connections where traffic is switched to, and left when somebody does', async () => {
    const port = await freePort(...HOSTS.a, ...HOSTS.b);
    await startRedisCluster(HOSTS.a, port);
    tell('a', HOSTS.a, port);
    tell('b', HOSTS.b, port);
    const name = `rc.a.${port}`;
    // The client may come while the other cluster is still finding itself, and hear of the rest of it later.
    const cluster = clusterOn([{ host: name, port }], {
      dnsLookup: clusterLookup(resolver),
      slotsRefreshInterval: 200,
    });
    followCluster(cluster, resolver, name, { avoidMs: 100 });
    await cluster.set('k', 'a');
    resolver.plan('rc', { weights: { b: 1 }, reason: 'switch' });
    await expect.poll(() => resolver.resolve(name).idcs[1]!.share).toBe(1);
    await sleep(300);
    expect([await cluster.get('k'), mastersOf(cluster)]).toEqual(['a', [...HOSTS.a]]);
    await startRedisCluster(HOSTS.b, port);
    await expect.poll(() => mastersOf(cluster)).toEqual([...HOSTS.b]);
  });

  it('is reached behind addresses that lead nowhere by ioredis’s natMap', async () => {
    const [host] = HOSTS.a;
    const port = await freePort(host);
    await startRedisCluster([host], port, '--cluster-announce-ip', '192.0.2.1');
    tell('a', [host], port);
    tell('b', [], port);
    const nodes = await clusterNodes(resolver, `rc.a.${port}`);
    const cluster = clusterOn(nodes, { natMap: { [`192.0.2.1:${port}`]: { host, port } } });
    await cluster.set('k', 'v');
    expect(await cluster.get('k')).toBe('v');
  });
});

describe('Redis with TLS', () => {
  it('is spoken to with the options of ioredis, and is moved away from when it dies', async () => {
    if (!(await hasRedisTls())) {
      console.log('the redis-server of this machine has no TLS: nothing is tried');
      return;
    }
    const folder = scratchFolder();
    const authority = await createAuthority(folder, 'redis');
    const [a, b] = [HOSTS.a[0], HOSTS.b[0]];
    const { cert, key } = await authority.issue('server', `IP:${a},IP:${b}`);
    const port = await freePort(a, b);
    const start = (host: string) =>
      startRedis(
        host,
        port,
        ...['--port', '0', '--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key],
        ...['--tls-ca-cert-file', authority.ca, '--tls-auth-clients', 'no'],
      );
    const [first] = await Promise.all([start(a), start(b)]);
    tell('a', [a], port);
    tell('b', [b], port);
    const Connector = redisConnector(resolver, `rc.a.${port}`);
    const redis = new Redis({ Connector, tls: { ca: await readFile(authority.ca, 'utf8') } });
    redis.on('error', () => undefined);
    onTestFinished(() => redis.disconnect());
    const where = async () => /laddr=([\d.]+):/.exec(await redis.client('INFO'))![1];
    expect(await where()).toBe(a);
    await first.kill();
    expect(await where()).toBe(b);
    const stranger = new Redis({ Connector, tls: {}, maxRetriesPerRequest: 0 });
    stranger.on('error', () => undefined);
    onTestFinished(() => stranger.disconnect());
    await expect(stranger.ping()).rejects.toThrow();
  });
});
