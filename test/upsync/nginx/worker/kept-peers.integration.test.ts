import { createServer as createHttpServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from '../../../../src/upstream/server.ts';
import { NginxControl } from '../../../../src/upsync/nginx/control.ts';
import { type Backend, closedAddress, startBackend } from '../../../helpers/backend.ts';
import { ProxyFixture } from '../../../helpers/lua-upstream.ts';

describe.each(['', 'keepalive 4;'])('the address of a server, with "%s" in the upstream', (upstream) => {
  let backends: Backend[];
  let a: string;
  let b: string;
  let proxy: ProxyFixture;
  let control: NginxControl;

  beforeAll(async () => {
    backends = [await startBackend(), await startBackend()];
    [a, b] = backends.map((backend) => backend.address) as [string, string];
    proxy = await ProxyFixture.start({
      upstream,
      location: 'access_log logs.txt mine; proxy_http_version 1.1; proxy_set_header Connection "";',
      http: 'log_format mine "$uri $status $upstream_addr";',
    });
    control = new NginxControl({ socketPath: proxy.nginx.socketPath });
  });
  afterAll(async () => {
    await control?.close();
    await proxy?.stop();
    for (const backend of backends) await backend.close();
  });

  const kept = async () => (await control.workers()).keptPeers;
  const logged = (path: string) =>
    readFileSync(join(proxy.nginx.directory, 'logs.txt'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith(`${path} `));

  it('is parsed by nginx once, and named in its logs as ever', async () => {
    await proxy.put(a, b);
    expect(await proxy.bodies(6, '/first')).toEqual([a, b, a, b, a, b]);
    expect(await kept()).toBe(2);
    expect(logged('/first')).toEqual([a, b, a, b, a, b].map((address) => `/first 200 ${address}`));
  });

  it('is kept while the server comes and goes, and its weight changes', async () => {
    await proxy.put(a);
    await proxy.put(createServer(a, { weight: 2 }), b);
    expect((await proxy.bodies(3)).sort()).toEqual([a, a, b].sort());
    expect(await kept()).toBe(2);
  });

  it('is told apart in every attempt of a request', async () => {
    const dead = await closedAddress();
    await proxy.put(dead, a);
    expect(await proxy.bodies(2, '/attempts')).toEqual([a, a]);
    await proxy.put(createServer(dead, { maxFails: 0 }), createServer(b, { maxFails: 0 }));
    expect(await proxy.bodies(4, '/again')).toEqual([b, b, b, b]);
    expect(logged('/again').filter((line) => line === `/again 200 ${dead}, ${b}`)).toHaveLength(2);
    expect(logged('/again').filter((line) => line === `/again 200 ${b}`)).toHaveLength(2);
    expect(await kept()).toBe(3);
  });

  it('is kept of IPv6 and of unix sockets as well', async () => {
    const path = join(proxy.nginx.directory, 'backend.sock');
    const servers = [{ path }, { port: 0, host: '::1' }].map((where) =>
      createHttpServer((request, response) => {
        response.end(request.socket.localFamily ?? 'unix');
      }).listen(where),
    );
    await expect.poll(() => servers.every(({ listening }) => listening)).toBe(true);
    const six = `[::1]:${(servers[1]!.address() as { port: number }).port}`;
    const before = await kept();
    await proxy.put(`unix:${path}`, six);
    expect(await proxy.bodies(6, '/kinds')).toEqual(['unix', 'IPv6', 'unix', 'IPv6', 'unix', 'IPv6']);
    expect(await kept()).toBe(before + 2);
    expect(logged('/kinds').slice(-2)).toEqual([`/kinds 200 unix:${path}`, `/kinds 200 ${six}`]);
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  });

  it('is kept anew by workers that nginx starts anew', async () => {
    await proxy.put(a, b);
    await proxy.nginx.reload();
    expect((await proxy.bodies(4)).sort()).toEqual([a, a, b, b].sort());
    expect(await kept()).toBe(2);
    expect(proxy.nginx.errors()).not.toMatch(/parses the address/);
  });
});
