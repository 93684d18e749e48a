import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { get, put, type Running, unique, until } from './subject.ts';

/** Health checks the agent keeps: TTLs, probes, and what becomes of them. */
export function checkContract(running: Running): void {
  const register = async (body: unknown) => put(running(), '/v1/agent/service/register', body);
  const act = async (path: string, body?: unknown) => put(running(), `/v1/agent/${path}`, body);
  const health = async (name: string, query = '') => get(running(), `/v1/health/service/${name}${query}`);
  const checkOf = async (id: string) => (await get(running(), '/v1/agent/checks')).json[id];

  describe('for checks', () => {
    it('moves a TTL check with pass, warn, fail and update, and keeps the note', async () => {
      const name = unique('ttl');
      await register({ Name: name, Check: { TTL: '60s', Status: 'passing' } });
      const id = `service:${name}`;
      const steps = [
        ['warn', 'warning'],
        ['fail', 'critical'],
        ['pass', 'passing'],
      ] as const;
      expect((await checkOf(id)).Status).toBe('passing');
      for (const [verb, status] of steps) {
        await act(`check/${verb}/${id}?note=because%20${verb}`);
        expect(await checkOf(id)).toMatchObject({
          Status: status,
          Output: `because ${verb}`,
          ServiceName: name,
        });
      }
      await act(`check/update/${id}`, { Status: 'warning', Output: 'slow' });
      expect(await checkOf(id)).toMatchObject({ Status: 'warning', Output: 'slow' });
      const { json } = await health(name);
      expect(json[0].Checks[1]).toMatchObject({ Status: 'warning', Output: 'slow' });
    });

    it('lets a TTL run out to critical, with the last output in the new one', async () => {
      const name = unique('ttl');
      await register({ Name: name, Checks: [{ CheckID: name, TTL: '400ms' }] });
      await act(`check/pass/${name}?note=fine`);
      expect((await health(name, '?passing')).json).toHaveLength(1);
      const answer = await until(
        async () => health(name),
        ({ json }) => json[0].Checks[1].Status === 'critical',
      );
      expect(answer.json[0].Checks[1].Output).toBe('TTL expired (last output before timeout follows): fine');
      expect((await health(name, '?passing')).json).toEqual([]);
    });

    it('numbers the checks of a service that has several', async () => {
      const name = unique('many');
      await register({ Name: name, Checks: [{ TTL: '10s' }, { Name: 'second', TTL: '20s' }] });
      const { json } = await health(name);
      expect(json[0].Checks.slice(1).map((check: { CheckID: string }) => check.CheckID)).toEqual([
        `service:${name}:1`,
        `service:${name}:2`,
      ]);
    });

    it('keeps the state of a check that is registered again', async () => {
      const name = unique('again');
      const body = { Name: name, Port: 80, Check: { TTL: '60s' } };
      await register(body);
      await act(`check/pass/service:${name}?note=up`);
      await register({ ...body, Port: 81 });
      expect(await checkOf(`service:${name}`)).toMatchObject({ Status: 'passing', Output: 'up' });
      expect((await health(name, '?passing')).json[0].Service.Port).toBe(81);
    });

    it('keeps old checks of a service registered anew, unless told to replace them', async () => {
      const name = unique('replace');
      await register({ Name: name, Check: { CheckID: `${name}-a`, TTL: '60s' } });
      const body = { Name: name, Check: { CheckID: `${name}-b`, TTL: '60s' } };
      const ids = async () =>
        (await health(name)).json[0].Checks.slice(1).map((check: { CheckID: string }) => check.CheckID);
      await register(body);
      expect(await ids()).toEqual([`${name}-a`, `${name}-b`]);
      await put(running(), '/v1/agent/service/register?replace-existing-checks', body);
      expect(await ids()).toEqual([`${name}-b`]);
    });

    it('takes checks of the node and of a service by themselves', async () => {
      const [name, check] = [unique('checked'), unique('check')];
      await register({ Name: name });
      expect(
        (await act('check/register', { Name: check, ServiceID: name, TTL: '15s', Notes: 'n' })).status,
      ).toBe(200);
      expect(await checkOf(check)).toMatchObject({
        ...{ Name: check, ServiceID: name, ServiceName: name, Notes: 'n', Status: 'critical', Type: 'ttl' },
        ...{ Interval: '0s', Timeout: '0s' },
      });
      expect((await act(`check/deregister/${check}`)).status).toBe(200);
      expect(await checkOf(check)).toBeUndefined();
    });

    it('runs HTTP and TCP checks', async () => {
      let status = 200;
      const server = createServer((_request, response) => response.writeHead(status).end('hello'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      const name = unique('probed');
      try {
        await register({
          Name: name,
          Checks: [
            { CheckID: `${name}-http`, HTTP: `http://${address}/`, Interval: '1s' },
            { CheckID: `${name}-tcp`, TCP: address, Interval: '1s' },
          ],
        });
        const statuses = async (wanted: string[]) =>
          until(
            async () => health(name),
            ({ json }) =>
              json[0].Checks.slice(1)
                .map((check: { Status: string }) => check.Status)
                .join() === wanted.join(),
          );
        const good = (await statuses(['passing', 'passing'])).json[0].Checks;
        expect(good[1]).toMatchObject({ Status: 'passing', Type: 'http', Interval: '1s' });
        expect(good[1].Output).toBe(`HTTP GET http://${address}/: 200 OK Output: hello`);
        expect(good[2]).toMatchObject({
          Status: 'passing',
          Type: 'tcp',
          Output: `TCP connect ${address}: Success`,
        });
        status = 429;
        expect((await statuses(['warning', 'passing'])).json[0].Checks[1].Status).toBe('warning');
        status = 500;
        expect((await statuses(['critical', 'passing'])).json[0].Checks[1].Status).toBe('critical');
      } finally {
        server.closeAllConnections();
        server.close();
        await act(`service/deregister/${name}`);
      }
    });

    it('refuses a heartbeat for a check without TTL', async () => {
      const name = unique('notttl');
      await act('check/register', { Name: name, TCP: '127.0.0.1:1', Interval: '60s' });
      const answer = await act(`check/pass/${name}`);
      expect([answer.status, answer.text]).toEqual([500, `CheckID "${name}" does not have associated TTL`]);
      await act(`check/deregister/${name}`);
    });
  });
}
