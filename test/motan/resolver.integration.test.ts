import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { consulSources } from '../../src/motan/consul-sources.ts';
import type { Resolution, Resolver } from '../../src/motan/resolution.ts';
import { createResolver } from '../../src/motan/resolver.ts';
import { createTopology, motanGroupMapping } from '../../src/motan/topology.ts';
import { locateConsul, NO_CONSUL, type RunningConsul, startConsul } from '../helpers/consul.ts';
import { until } from '../helpers/motan-registry.ts';

const shares = ({ idcs }: Resolution): Record<string, number> =>
  Object.fromEntries(idcs.map(({ idc, share }) => [idc, share]));

if ((await locateConsul()) === undefined)
  describe('two federated datacenters', () => {
    it('cannot be played on this machine', async () => {
      console.log(NO_CONSUL);
      expect(await locateConsul()).toBeUndefined();
    });
  });
else
  describe('two federated datacenters of a real Consul', () => {
    const listening: Server[] = [];
    let a: RunningConsul;
    let b: RunningConsul;
    let port: number;
    let resolver: Resolver;

    beforeAll(async () => {
      a = await startConsul({ datacenter: 'a' });
      b = await startConsul({ datacenter: 'b', joinWan: [a.serfWanPort] });
      // Servers of one port, as in production: each IDC has loopback addresses of its own.
      port = await listen('127.0.1.1', 0);
      await listen('127.0.2.1', port);
      await put(a, '/v1/agent/service/register', { ID: '1', Name: 'rs', Address: '127.0.1.1', Port: port });
      await put(b, '/v1/agent/service/register', { ID: '2', Name: 'rs', Address: '127.0.2.1', Port: port });
      resolver = createResolver({
        topology: createTopology({ local: 'b', idcs: [{ name: 'a' }, { name: 'b' }] }),
        ...consulSources({ addresses: [b.url] }),
        probing: { afterMs: 50, everyMs: 100 },
        hold: { emptyGraceMs: 200 },
      });
    });

    afterAll(async () => {
      await resolver.close();
      await Promise.all([a.stop(), b.stop()]);
      for (const server of listening) server.close();
    });

    async function listen(host: string, wanted: number): Promise<number> {
      const server = createServer((socket) => socket.destroy()).listen(wanted, host);
      await once(server, 'listening');
      listening.push(server);
      return (server.address() as { port: number }).port;
    }

    it('answers for both from the agent of one', async () => {
      // The datacenters take a while to know each other.
      await untilSlowly(() => resolver.resolve(`rs.a.${port}`).state === 'live');
      expect(shares(resolver.resolve(`rs.a.${port}`))).toEqual({ a: 1, b: 0 });
      expect(shares(await resolver.ready(`rs.{idc}.${port}`))).toEqual({ b: 1, a: 0 });
      expect(resolver.resolve(`rs.a.${port}`).servers.map(({ address }) => address)).toEqual([
        `127.0.1.1:${port}`,
        `127.0.2.1:${port}`,
      ]);
    });

    it('moves when a server is deregistered, and comes back', async () => {
      await put(a, '/v1/agent/service/deregister/1', '');
      await untilSlowly(() => shares(resolver.resolve(`rs.a.${port}`))['b'] === 1);
      await put(a, '/v1/agent/service/register', { ID: '1', Name: 'rs', Address: '127.0.1.1', Port: port });
      await untilSlowly(() => shares(resolver.resolve(`rs.a.${port}`))['a'] === 1);
    });

    it('obeys a Motan command as soon as it is written', async () => {
      for (const [group, host] of [
        ['rs.a', '127.0.1.1'],
        ['rs.b', '127.0.2.1'],
      ])
        await put(b, '/v1/agent/service/register', {
          ID: group,
          Name: `motanrpc_${group}`,
          Address: host,
          Port: port,
        });
      const motan = createResolver({
        topology: createTopology({
          local: 'b',
          idcs: [{ name: 'a' }, { name: 'b' }],
          mapping: motanGroupMapping(),
        }),
        ...consulSources({ addresses: [b.url] }),
      });
      const name = `rs.a.${port}`;
      expect(shares(await motan.ready(name))).toEqual({ a: 1, b: 0 });
      const command = { clientCommandList: [{ pattern: 'rs.*', mergeGroups: ['rs.b:1'] }] };
      const start = performance.now();
      await put(b, '/v1/kv/motan/command/motanrpc_rs.a', command);
      await until(() => shares(motan.resolve(name))['b'] === 1);
      console.log(`the switch took ${Math.round(performance.now() - start)} ms from the write`);
      await put(b, '/v1/kv/motan/command/motanrpc_rs.a', '');
      await until(() => shares(motan.resolve(name))['a'] === 1);
      await motan.close();
    });

    it('keeps the servers of a datacenter whose Consul is gone, and moves away when they are gone too', async () => {
      await a.stop('SIGKILL');
      await untilSlowly(() => resolver.resolve(`rs.a.${port}`).state === 'stale');
      expect(shares(resolver.resolve(`rs.a.${port}`))).toEqual({ a: 1, b: 0 });
      listening[0]!.close();
      await untilSlowly(() => shares(resolver.resolve(`rs.a.${port}`))['b'] === 1);
      expect(resolver.resolve(`rs.a.${port}`).servers).toHaveLength(2);
    });
  });

async function untilSlowly(test: () => boolean): Promise<void> {
  await until(test)
    .catch(() => until(test))
    .catch(() => until(test));
}

async function put(consul: RunningConsul, path: string, body: unknown): Promise<void> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const reply = await fetch(`${consul.url}${path}`, { method: 'PUT', body: text });
  expect(reply.status).toBe(200);
}
