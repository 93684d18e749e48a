import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openSource, openSources } from '../../src/discovery/open.ts';
import { locateConsul, NO_CONSUL, type RunningConsul, startConsul } from '../helpers/consul.ts';
import { ListReader, summary } from '../helpers/reading-lists.ts';
import { sourceOptions } from '../helpers/source-options.ts';
import { TcpProxy } from '../helpers/tcp-proxy.ts';
import { describeRegistrar } from './registrar.behaviour.ts';

if ((await locateConsul()) === undefined) it(`has nothing to prove here: ${NO_CONSUL}`, () => undefined);
else {
  describeRegistrar('a real Consul', startConsul);

  describe('Consul sources against a real Consul', () => {
    let consul: RunningConsul;
    let readers: ListReader[] = [];
    beforeAll(async () => {
      consul = await startConsul();
    });
    afterEach(async () => {
      await Promise.all(readers.map((reader) => reader.stop().catch(() => false)));
      readers = [];
    });
    afterAll(() => consul.stop());
    const put = async (path: string, body: string | undefined): Promise<void> => {
      const init = body === undefined ? { method: 'DELETE' } : { method: 'PUT', body };
      const response = await fetch(consul.url + path, init);
      if (!response.ok) throw new Error(`${path} was answered ${response.status}`);
    };
    const follow = (path: string, more = {}): ListReader => {
      const options = sourceOptions({ type: 'consul', path, addresses: [consul.url], ...more });
      const reader = new ListReader(openSource(options));
      readers.push(reader);
      return reader;
    };

    it('sees a key come back after the last one was deleted, without waiting for the interval', async () => {
      await put('/v1/kv/gone/test/10.0.0.1:80', '');
      const reader = follow('/v1/kv/gone/test/', { intervalMs: 60_000 });
      expect((await reader.next()).servers).toHaveLength(1);
      for (let turn = 0; turn < 3; turn++) {
        await put('/v1/kv/gone/test/10.0.0.1:80', undefined);
        expect((await reader.next()).servers).toEqual([]);
        await put('/v1/kv/gone/test/10.0.0.1:80', '');
        expect((await reader.next()).servers).toHaveLength(1);
      }
    });

    it('follows a hundred changes in a row at once, whatever the interval', async () => {
      const reader = follow('/v1/kv/many/test/', { intervalMs: 600_000 });
      await reader.next();
      const start = performance.now();
      for (let weight = 2; weight < 102; weight++) {
        await put('/v1/kv/many/test/10.0.0.1:80', JSON.stringify({ weight }));
        while (summary(await reader.next()).join() !== `10.0.0.1:80*${weight}`);
      }
      expect(performance.now() - start).toBeLessThan(30_000);
    });

    it('is not held up by keys of others changing beside it', async () => {
      await put('/v1/kv/beside/test/10.0.0.1:80', '');
      const reader = follow('/v1/kv/beside/test/');
      await reader.next();
      const next = reader.next();
      for (let turn = 0; turn < 30; turn++) await put('/v1/kv/beside/other/x', String(turn));
      await put('/v1/kv/beside/test/10.0.0.1:80', '{"weight":2}');
      expect(summary(await next)).toEqual(['10.0.0.1:80*2']);
    });

    it('serves two hundred upstreams over one connection, each told only of its own changes', async () => {
      const proxy = await TcpProxy.start(consul.url);
      const names = Array.from({ length: 200 }, (_, at) => `u${at}`);
      // One after the other: Consul lets one client have 200 connections.
      for (const [at, name] of names.entries()) await put(`/v1/kv/shared/${name}/10.0.0.${at}:80`, '');
      const sources = openSources(
        names.map((name) =>
          sourceOptions({ type: 'consul', path: `/v1/kv/shared/${name}`, addresses: [proxy.url] }),
        ),
      );
      readers = sources.map((source) => new ListReader(source));
      // Without a slash at its end u1 also holds u10 to u199, as Consul matches prefixes.
      const counts = await Promise.all(readers.map(async (reader) => (await reader.next()).servers.length));
      expect([counts[0], counts[1], counts[199]]).toEqual([1, 111, 1]);
      expect(proxy.connections).toBe(1);
      const [seventh, eighth] = [readers[70]!.next(), readers[80]!.isQuiet(300)];
      await put('/v1/kv/shared/u70/10.0.0.70:80', '{"weight":3}');
      expect(summary(await seventh)).toEqual(['10.0.0.70:80*3']);
      expect(await eighth).toBe(true);
      await proxy.cut();
    });

    it('comes back to the list after Consul was restarted without its data', async () => {
      const second = await startConsul();
      const url = `${second.url}/v1/kv/again/test/10.0.0.1:80`;
      for (let turn = 0; turn < 5; turn++)
        await fetch(url, { method: 'PUT', body: `{"weight":${turn + 2}}` });
      const path = '/v1/kv/again/test/';
      const source = openSource(sourceOptions({ type: 'consul', path, addresses: [second.url] }));
      const reader = new ListReader(source);
      expect(summary(await reader.next())).toEqual(['10.0.0.1:80*6']);
      const failure = reader.next().catch((error: unknown) => error);
      await second.stop('SIGKILL');
      expect(await failure).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
      const third = await startConsul({ port: second.port });
      const again = new ListReader(source);
      readers.push(again);
      expect((await again.next()).servers).toEqual([]);
      await fetch(url, { method: 'PUT', body: '{"weight":9}' });
      expect(summary(await again.next())).toEqual(['10.0.0.1:80*9']);
      await again.stop();
      await third.stop();
    });

    it('takes tags, weights, filters and health as Consul gives them', async () => {
      const register = (id: string, more: object): Promise<void> =>
        put(
          '/v1/agent/service/register',
          JSON.stringify({
            Name: 'web',
            ID: id,
            Address: '10.0.0.1',
            Weights: { Passing: 10, Warning: 2 },
            ...more,
          }),
        );
      const check = (Status: string): object => ({ TTL: '1h', Status });
      await register('a', { Port: 1, Tags: ['blue', 'max_fails=7'], Check: check('passing') });
      await register('b', { Port: 2, Tags: ['blue', 'weight=5'], Check: check('warning') });
      await register('c', { Port: 3, Tags: ['green'], Check: check('critical') });
      const health = { type: 'consul_health', path: '/v1/health/service/web' } as const;
      const rows: [object, string[]][] = [
        [{}, ['10.0.0.1:1', '10.0.0.1:2*5 down', '10.0.0.1:3 down']],
        [{ useWeights: true }, ['10.0.0.1:1*10', '10.0.0.1:2*5', '10.0.0.1:3*10 down']],
        [{ tags: ['green'] }, ['10.0.0.1:3 down']],
        [{ filter: 'Service.Port != 2' }, ['10.0.0.1:1', '10.0.0.1:3 down']],
        [{ passing: true }, ['10.0.0.1:1']],
        [{ consistency: 'stale' }, ['10.0.0.1:1', '10.0.0.1:2*5 down', '10.0.0.1:3 down']],
        [{ cached: true, dc: 'dc1' }, ['10.0.0.1:1', '10.0.0.1:2*5 down', '10.0.0.1:3 down']],
      ];
      for (const [more, servers] of rows)
        expect(summary(await follow(health.path, { ...health, ...more }).next()).sort()).toEqual(servers);
      const catalog = follow('/v1/catalog/service/web', {
        type: 'consul_services',
        path: '/v1/catalog/service/web',
      });
      expect(summary(await catalog.next()).sort()).toEqual(['10.0.0.1:1', '10.0.0.1:2*5', '10.0.0.1:3']);
      const changes = follow(health.path, health);
      await changes.next();
      await put('/v1/agent/check/pass/service:b', '');
      expect(summary(await changes.next()).sort()).toEqual(['10.0.0.1:1', '10.0.0.1:2*5', '10.0.0.1:3 down']);
    });
  });
}
