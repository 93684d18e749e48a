import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createServer } from '../../../../src/upstream/server.ts';
import { NginxControl } from '../../../../src/upsync/nginx/control.ts';
import { type Backend, closedAddress, startBackend } from '../../../helpers/backend.ts';
import { ProxyFixture } from '../../../helpers/lua-upstream.ts';

const LONG = { failTimeoutMs: 60_000 };

describe('a request whose end is no news', () => {
  let backends: Backend[];
  let a: string;
  let b: string;
  let dead: string;
  let proxy: ProxyFixture;
  let control: NginxControl;

  beforeAll(async () => {
    backends = [await startBackend(), await startBackend()];
    [a, b] = backends.map((backend) => backend.address) as [string, string];
    dead = await closedAddress();
    proxy = await ProxyFixture.start({
      location: 'proxy_connect_timeout 1s; proxy_read_timeout 300ms; add_header X-Here yes;',
      http: 'log_format mine "$uri $status $upstream_addr";',
      server: `
        location /logged { access_log logs.txt mine; proxy_pass http://test; }
        location /veiled { error_page 502 504 = @sorry; proxy_pass http://test; }
        location @sorry { return 200 "sorry"; }
        location /inside { internal; add_header X-Inside yes; proxy_pass http://test; }`,
    });
    control = new NginxControl({ socketPath: proxy.nginx.socketPath });
  });
  afterAll(async () => {
    await control?.close();
    await proxy?.stop();
    for (const backend of backends) await backend.close();
  });
  // An empty list in between makes each test begin with servers that nobody used yet.
  beforeEach(async () => {
    for (const backend of backends) backend.handler = undefined;
    await proxy.put();
  });

  const locations = async () => (await control.workers()).locationsWithoutLog;
  const post = async (path = '/') =>
    (await fetch(proxy.nginx.url + path, { method: 'POST', headers: { connection: 'close' } })).status;
  const many = (address: string, count: number) => Array.from({ length: count }, () => address);

  it('goes without the log phase, and in its location all else stays', async () => {
    await proxy.put(a, b);
    const before = await locations();
    expect(await proxy.bodies(4, '/logged')).toEqual([a, b, a, b]);
    expect(await locations()).toBe(before + 1);
    const response = await fetch(proxy.nginx.url, { headers: { connection: 'close' } });
    expect(response.headers.get('x-here')).toBe('yes');
    expect(await locations()).toBe(before + 2);
    expect(readFileSync(join(proxy.nginx.directory, 'logs.txt'), 'utf8')).toBe(
      [a, b, a, b].map((address) => `/logged 200 ${address}\n`).join(''),
    );
  });

  it('is heard of when its server fails and another is tried', async () => {
    await proxy.put(createServer(dead, { maxFails: 2, ...LONG }), a);
    expect(await proxy.bodies(8)).toEqual(many(a, 8));
    expect(proxy.nginx.errors().match(new RegExp(`connect.. failed.*http://${dead}/`, 'g'))).toHaveLength(2);
  });

  it('is heard of when all servers fail, and nginx answers as it would', async () => {
    backends[0]!.handler = () => undefined;
    await proxy.put(createServer(dead, { maxFails: 1, ...LONG }), createServer(a, { maxFails: 1, ...LONG }));
    expect((await proxy.get()).status).toBe(504);
    await proxy.put(
      createServer(dead, { maxFails: 1, ...LONG }),
      createServer(a, { maxFails: 1, ...LONG }),
      b,
    );
    expect(await proxy.bodies(4)).toEqual(many(b, 4));
  });

  it('is none where nginx may not repeat it', async () => {
    backends[0]!.handler = (request) => request.socket.destroy();
    await proxy.put(createServer(a, { maxFails: 1, ...LONG }), b);
    expect(await post()).toBe(502);
    expect([await post(), await post(), await post()]).toEqual([200, 200, 200]);
  });

  it('is none at a server that failed: its success is news', async () => {
    await proxy.put(createServer(a, { maxFails: 1, failTimeoutMs: 200 }), b);
    backends[0]!.handler = (request) => request.socket.destroy();
    expect(await proxy.bodies(4)).toEqual(many(b, 4));
    backends[0]!.handler = undefined;
    await sleep(300);
    const answers = await proxy.bodies(8);
    expect(answers.filter((address) => address === a).length).toBeGreaterThanOrEqual(3);
  });

  it('does not confuse an error page or an internal redirect', async () => {
    await proxy.put(createServer(dead, { maxFails: 1, ...LONG }), createServer(a, LONG));
    expect(await proxy.bodies(4, '/veiled')).toEqual(many(a, 4));
    backends[0]!.handler = (request, response) => {
      if (request.url === '/inside') return response.end('inside');
      return response.setHeader('X-Accel-Redirect', '/inside').end();
    };
    for (let i = 0; i < 3; i++) {
      const response = await fetch(proxy.nginx.url, { headers: { connection: 'close' } });
      expect([await response.text(), response.headers.get('x-inside')]).toEqual(['inside', 'yes']);
    }
  });

  it('is one whatever its method where failures are not counted', async () => {
    backends[0]!.handler = (request) => request.socket.destroy();
    await proxy.put(createServer(a, { maxFails: 0 }), createServer(b, { maxFails: 0 }));
    const statuses = [await post(), await post(), await post(), await post()];
    expect(statuses).toEqual([502, 200, 502, 200]);
  });

  it('leaves exact counts to a list that limits connections', async () => {
    await proxy.put(a, b);
    await proxy.bodies(5);
    const release: (() => void)[] = [];
    backends[0]!.handler = (_request, response) => release.push(() => response.end(a));
    await proxy.put(createServer(a, { maxConns: 2 }));
    const waiting = [proxy.get(), proxy.get()];
    await expect.poll(() => release.length).toBe(2);
    expect((await proxy.get()).status).toBe(502);
    for (const finish of release) finish();
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200]);
  });
});

describe('a method that hashes, or draws', () => {
  it.each([
    ['hash', '$arg_key'],
    ['hash_consistent', '$arg_key'],
    ['ip_hash', undefined],
    ['random', undefined],
  ] as const)(
    '%s chooses alike with the log phase and without it, failures included',
    async (method, hashKey) => {
      const backends = [await startBackend(), await startBackend(), await startBackend()];
      const dead = await closedAddress();
      const servers = [dead, ...backends.map(({ address }) => address)].map((address) =>
        createServer(address, { maxFails: 2, failTimeoutMs: 60_000 }),
      );
      const seen: string[][] = [];
      const locations: number[] = [];
      for (const location of ['', 'proxy_next_upstream_timeout 60s;']) {
        const proxy = await ProxyFixture.start({ servers, method, ...(hashKey && { hashKey }), location });
        const control = new NginxControl({ socketPath: proxy.nginx.socketPath });
        const bodies: string[] = [];
        for (let key = 0; key < 24; key++) bodies.push((await proxy.get(`/?key=${key}`)).body);
        seen.push(bodies);
        locations.push((await control.workers()).locationsWithoutLog);
        expect(
          proxy.nginx.errors().match(new RegExp(`connect.. failed.*http://${dead}/`, 'g'))?.length ?? 0,
        ).toBeLessThan(3);
        await control.close();
        await proxy.stop();
      }
      for (const backend of backends) await backend.close();
      expect(locations).toEqual([1, 0]);
      expect(seen[0]).toEqual(seen[1]);
    },
  );

  it('least_conn keeps the log phase, since it counts requests', async () => {
    const backends = [await startBackend(), await startBackend()];
    const servers = backends.map(({ address }) => createServer(address));
    const proxy = await ProxyFixture.start({ servers, method: 'least_conn' });
    const control = new NginxControl({ socketPath: proxy.nginx.socketPath });
    await proxy.bodies(4);
    expect((await control.workers()).locationsWithoutLog).toBe(0);
    await control.close();
    await proxy.stop();
    for (const backend of backends) await backend.close();
  });
});
