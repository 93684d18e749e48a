import Consul from 'consul';
import { describe, expect, it } from 'vitest';
import { type Running, unique } from './subject.ts';

/** The registry through the `consul` package, as programs use it. */
export function clientContract(running: Running): void {
  const connect = () => {
    const { hostname, port } = new URL(running().url);
    return new Consul({ host: hostname, port: Number(port) });
  };

  describe('to the "consul" package', () => {
    it('reads, writes, lists and deletes keys', async () => {
      const client = connect();
      const root = unique('client');
      expect(await client.kv.set(`${root}/a`, 'hello')).toBe(true);
      expect(await client.kv.set({ key: `${root}/b`, value: 'world', flags: 7, cas: 0 } as never)).toBe(true);
      expect(await client.kv.get(`${root}/a`)).toMatchObject({ Key: `${root}/a`, Value: 'hello' });
      const raw: unknown = await client.kv.get({ key: `${root}/b`, raw: true } as never);
      expect((raw as Buffer).toString()).toBe('world');
      expect(await client.kv.keys(`${root}/`)).toEqual([`${root}/a`, `${root}/b`]);
      expect(await client.kv.get({ key: `${root}/`, recurse: true })).toHaveLength(2);
      expect(await client.kv.get(`${root}/none`)).toBeUndefined();
      await client.kv.del({ key: `${root}/`, recurse: true });
      expect(await client.kv.get(`${root}/a`)).toBeUndefined();
    });

    it('registers a service, beats, reads its health and leaves', async () => {
      const client = connect();
      const name = unique('client');
      await client.agent.service.register({
        ...{ name, id: `${name}-1`, address: '127.0.0.1', port: 8080, tags: ['a'] },
        check: { ttl: '30s' },
      } as never);
      expect(Object.keys((await client.agent.service.list()) as object)).toContain(`${name}-1`);
      expect(await client.health.service({ service: name, passing: true })).toHaveLength(0);
      await client.agent.check.pass(`service:${name}-1`);
      expect(await client.health.service({ service: name, passing: true })).toHaveLength(1);
      expect(await client.catalog.service.nodes(name)).toMatchObject([
        { ServiceID: `${name}-1`, ServiceTags: ['a'] },
      ]);
      expect(await client.catalog.service.list()).toHaveProperty(name, ['a']);
      await client.agent.service.maintenance({ id: `${name}-1`, enable: true });
      expect(await client.health.service({ service: name, passing: true })).toHaveLength(0);
      await client.agent.service.deregister(`${name}-1`);
      expect(await client.health.service(name)).toHaveLength(0);
    });

    it('registers and removes in the catalog', async () => {
      const client = connect();
      const [node, name] = [unique('node'), unique('client')];
      await client.catalog.register({
        node,
        address: '10.0.0.1',
        service: { service: name, port: 80 },
      } as never);
      expect(await client.catalog.service.nodes(name)).toHaveLength(1);
      await client.catalog.deregister({ node });
      expect(await client.catalog.service.nodes(name)).toHaveLength(0);
    });

    it('follows a key with its own watch', async () => {
      const client = connect();
      const key = unique('watched');
      await client.kv.set(key, '1');
      const watch = client.watch({
        method: client.kv.get.bind(client.kv),
        options: { key, wait: '5s' },
      });
      const seen: string[] = [];
      try {
        await new Promise<void>((resolve, reject) => {
          watch.on('error', reject);
          watch.on('change', (data: { Value: string }) => {
            seen.push(data.Value);
            if (data.Value === '1') void client.kv.set(key, '2');
            else resolve();
          });
        });
      } finally {
        watch.end();
      }
      expect(seen).toEqual(['1', '2']);
    });

    it('learns the leader and the datacenters', async () => {
      const client = connect();
      expect(await client.status.leader()).toMatch(/:\d+$/);
      expect(await client.catalog.datacenters()).toEqual([running().datacenter]);
    });
  });
}
