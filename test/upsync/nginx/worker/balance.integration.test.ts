import { createServer as createHttpServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createServer } from '../../../../src/upstream/server.ts';
import { type Backend, closedAddress, startBackend } from '../../../helpers/backend.ts';
import { ProxyFixture } from '../../../helpers/lua-upstream.ts';

describe('balancing in an nginx worker', () => {
  let backends: Backend[];
  let a: string;
  let b: string;
  let c: string;
  let dead: string;
  let proxy: ProxyFixture;

  beforeAll(async () => {
    backends = [await startBackend(), await startBackend(), await startBackend()];
    [a, b, c] = backends.map((backend) => backend.address) as [string, string, string];
    dead = await closedAddress();
    proxy = await ProxyFixture.start({
      location: 'proxy_connect_timeout 1s; proxy_read_timeout 1s;',
      server: `
        location /once { proxy_next_upstream_tries 1; proxy_pass http://test; }
        location /on500 { proxy_next_upstream error timeout http_500 http_404; proxy_pass http://test; }
        location /fallback { error_page 502 = @fallback; proxy_next_upstream off; proxy_pass http://test; }
        location @fallback { return 200 "fallback"; }
        location /auth { auth_request /check; return 200 "let in"; }
        location /check { internal; proxy_pass http://test; }
        location /short { proxy_read_timeout 200ms; proxy_next_upstream off; proxy_pass http://test; }`,
    });
  });
  afterAll(async () => {
    await proxy?.stop();
    for (const backend of backends) await backend.close();
  });
  // An empty list in between makes each test begin with servers that nobody used yet.
  beforeEach(async () => {
    for (const backend of backends)
      Object.assign(backend, { requests: 0, connections: 0, handler: undefined });
    await proxy.put();
  });

  const many = (address: string, count: number) => Array.from({ length: count }, () => address);

  it('picks in nginx’s exact smooth weighted order', async () => {
    await proxy.put(
      createServer(a, { weight: 5 }),
      createServer(b, { weight: 1 }),
      createServer(c, { weight: 1 }),
    );
    expect(await proxy.bodies(14)).toEqual([a, a, b, a, c, a, a, a, a, b, a, c, a, a]);
  });

  it('goes on in the cycle where an update finds it', async () => {
    await proxy.put(a, b, c);
    expect(await proxy.bodies(4)).toEqual([a, b, c, a]);
    await proxy.put(a, b, c);
    expect(await proxy.bodies(2)).toEqual([b, c]);
  });

  it('tries the next server when one refuses the connection, and passes it over after max_fails', async () => {
    await proxy.put(createServer(dead, { maxFails: 2, failTimeoutMs: 60_000 }), a);
    expect(await proxy.bodies(6)).toEqual(many(a, 6));
    expect(proxy.nginx.errors().match(new RegExp(`connect.. failed.*http://${dead}/`, 'g'))).toHaveLength(2);
  });

  it('tries as many servers as the current list has', async () => {
    await proxy.put(dead, `127.0.0.2:${dead.split(':')[1]}`, `127.0.0.3:${dead.split(':')[1]}`, a);
    expect((await proxy.get()).body).toBe(a);
    await proxy.put(dead, `127.0.0.4:${dead.split(':')[1]}`);
    expect((await proxy.get()).status).toBe(502);
  });

  it('keeps to proxy_next_upstream_tries', async () => {
    await proxy.put(createServer(dead, { maxFails: 0 }), createServer(a, { maxFails: 0 }));
    const statuses = [(await proxy.get('/once')).status, (await proxy.get('/once')).status];
    expect(statuses.sort()).toEqual([200, 502]);
  });

  it('sends nothing to a server that is down or draining', async () => {
    await proxy.put(createServer(a, { down: true }), b, createServer(c, { drain: true }));
    expect(await proxy.bodies(4)).toEqual(many(b, 4));
  });

  it('uses a backup only while no primary is left', async () => {
    await proxy.put(
      createServer(dead, { maxFails: 1, failTimeoutMs: 60_000 }),
      createServer(b, { backup: true }),
    );
    expect(await proxy.bodies(3)).toEqual(many(b, 3));
    await proxy.put(a, createServer(b, { backup: true }));
    expect(await proxy.bodies(3)).toEqual(many(a, 3));
  });

  it('answers 502 as nginx does when there is no server, and names the upstream', async () => {
    expect((await proxy.get()).status).toBe(502);
    await proxy.put(createServer(a, { down: true }), createServer(b, { down: true }));
    expect((await proxy.get()).status).toBe(502);
    expect(proxy.nginx.errors()).toContain('no live upstreams while connecting to upstream');
    // By nginx, or by us where the Lua module is too new for that.
    expect(proxy.nginx.errors()).toMatch(/upstream: "http:\/\/test\/"|no live server in upstream "test"/);
  });

  it('does not hold an answer of 500 against the server that gave it', async () => {
    backends[0]!.handler = (_request, response) => response.writeHead(500).end('no');
    await proxy.put(
      createServer(a, { maxFails: 1, failTimeoutMs: 60_000 }),
      createServer(b, { maxFails: 1 }),
    );
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push((await proxy.get()).status);
    expect(statuses).toEqual([500, 200, 500, 200, 500, 200]);
  });

  it('holds 500 against a server, but not 404, where proxy_next_upstream names both', async () => {
    backends[0]!.handler = (_request, response) => response.writeHead(404).end('no');
    await proxy.put(createServer(a, { maxFails: 1, failTimeoutMs: 60_000 }), b);
    expect(await proxy.bodies(4, '/on500')).toEqual(many(b, 4));
    expect(backends[0]!.requests).toBeGreaterThan(1);
    backends[0]!.handler = (_request, response) => response.writeHead(500).end('no');
    backends[0]!.requests = 0;
    expect(await proxy.bodies(6, '/on500')).toEqual(many(b, 6));
    expect(backends[0]!.requests).toBe(1);
  });

  it('holds a timeout against the server at the end of a request, too', async () => {
    backends[0]!.handler = () => undefined;
    await proxy.put(createServer(a, { maxFails: 1, failTimeoutMs: 60_000 }), b);
    expect((await proxy.get('/short')).status).toBe(504);
    expect(await proxy.bodies(4, '/short')).toEqual(many(b, 4));
  });

  it('remembers the failure of a request that an error_page sent elsewhere', async () => {
    await proxy.put(createServer(dead, { maxFails: 1, failTimeoutMs: 60_000 }), a);
    expect(await proxy.bodies(4, '/fallback')).toEqual(['fallback', a, a, a]);
  });

  it('gives back the servers of subrequests', async () => {
    await proxy.put(createServer(a, { maxConns: 1 }));
    for (let i = 0; i < 5; i++) expect((await proxy.get('/auth')).body).toBe('let in');
  });

  it('counts requests for max_conns until they end', async () => {
    const release: (() => void)[] = [];
    backends[0]!.handler = (_request, response) => release.push(() => response.end(a));
    await proxy.put(createServer(a, { maxConns: 2 }));
    const first = [proxy.get(), proxy.get()];
    await expect.poll(() => release.length).toBe(2);
    expect((await proxy.get()).status).toBe(502);
    release[0]!();
    await Promise.race(first);
    const next = proxy.get();
    await expect.poll(() => release.length).toBe(3);
    for (const finish of release) finish();
    expect((await Promise.all([...first, next])).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('gives back the server of a client that left', async () => {
    backends[0]!.handler = () => undefined;
    await proxy.put(
      createServer(a, { maxConns: 1, maxFails: 1, failTimeoutMs: 60_000 }),
      createServer(b, { backup: true }),
    );
    const abort = new AbortController();
    const left = fetch(proxy.nginx.url, { signal: abort.signal }).catch(() => undefined);
    await expect.poll(() => backends[0]!.requests).toBe(1);
    abort.abort();
    await left;
    backends[0]!.handler = undefined;
    await expect.poll(async () => (await proxy.get()).body).toBe(a);
  });

  it('reaches IPv6 and unix socket servers', async () => {
    const six = createHttpServer((_request, response) => response.end('six')).listen(0, '::1');
    const path = join(proxy.nginx.directory, 'backend.sock');
    const unix = createHttpServer((_request, response) => response.end('unix')).listen(path);
    await expect.poll(() => six.listening && unix.listening).toBe(true);
    try {
      await proxy.put(`[::1]:${(six.address() as { port: number }).port}`, `unix:${path}`);
      expect(await proxy.bodies(4)).toEqual(['six', 'unix', 'six', 'unix']);
    } finally {
      for (const server of [six, unix]) {
        server.close();
        server.closeAllConnections();
      }
    }
  });
});

describe('balancing with keepalive connections', () => {
  it('keeps the connections to servers that stay over updates, and asks the only server again when one was stale', async () => {
    const backends = [await startBackend(), await startBackend()];
    const [a, b] = backends.map((backend) => backend.address) as [string, string];
    const proxy = await ProxyFixture.start({
      upstream: 'keepalive 8;',
      location: 'proxy_http_version 1.1; proxy_set_header Connection "";',
    });
    try {
      await proxy.put(a);
      await proxy.bodies(3);
      for (let weight = 2; weight < 12; weight++) {
        await proxy.put(createServer(a, { weight }), b);
        await proxy.bodies(2);
      }
      expect(backends.map(({ connections }) => connections)).toEqual([1, 1]);
      await proxy.put(a);
      // The backend closes the idle connection just when nginx uses it.
      backends[0]!.handler = (request) => {
        backends[0]!.handler = undefined;
        request.socket.destroy();
      };
      expect(await proxy.get()).toEqual({ status: 200, body: a });
    } finally {
      await proxy.stop();
      for (const backend of backends) await backend.close();
    }
  });

  it('hashes the key that the configuration names', async () => {
    const backends = [await startBackend(), await startBackend(), await startBackend()];
    const servers = backends.map((backend) => createServer(backend.address));
    const proxy = await ProxyFixture.start({ servers, method: 'hash', hashKey: '$arg_user-${arg_shard}x' });
    try {
      const of = async (query: string) => (await proxy.get(`/?${query}`)).body;
      const first = await of('user=1&shard=2');
      for (let i = 0; i < 3; i++) expect(await of('user=1&shard=2&other=' + i)).toBe(first);
      const seen = new Set<string>();
      for (let user = 0; user < 30; user++) seen.add(await of(`user=${user}`));
      expect(seen.size).toBe(3);
    } finally {
      await proxy.stop();
      for (const backend of backends) await backend.close();
    }
  });
});
