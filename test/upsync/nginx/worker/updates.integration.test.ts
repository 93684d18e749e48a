import { spawn } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createServer } from '../../../../src/upstream/server.ts';
import { SILENT } from '../../../../src/upstream/logger.ts';
import { encodeLists } from '../../../../src/upsync/nginx/wire.ts';
import { createNginxWorkersTarget } from '../../../../src/upsync/targets/nginx-workers.ts';
import { Pool } from 'undici';
import { type Backend, startBackend } from '../../../helpers/backend.ts';
import { LuaNginx, until } from '../../../helpers/lua-nginx.ts';
import { bootUpstream, ProxyFixture, proxyHttp } from '../../../helpers/lua-upstream.ts';

let backends: Backend[];
let a: string;
let b: string;
let c: string;

beforeAll(async () => {
  backends = [await startBackend(), await startBackend(), await startBackend()];
  [a, b, c] = backends.map((backend) => backend.address) as [string, string, string];
});
afterAll(async () => {
  for (const backend of backends) await backend.close();
});

describe('lists pushed to nginx', () => {
  let proxy: ProxyFixture;

  beforeEach(async () => {
    proxy = await ProxyFixture.start({ workers: 2, servers: [createServer(a)] });
  });
  afterEach(() => proxy.stop());

  const raw = async (body: string, method: 'PUT' | 'GET' = 'PUT', path = '/lists') => {
    const pool = new Pool('http://control', { socketPath: proxy.nginx.socketPath, pipelining: 0 });
    try {
      const response = await pool.request({ method, path, body: method === 'PUT' ? body : null });
      return { status: response.statusCode, json: (await response.body.json()) as Record<string, never> };
    } finally {
      await pool.destroy();
    }
  };

  it('serve the boot list until the first one comes', async () => {
    expect(await proxy.bodies(2)).toEqual([a, a]);
    const report = await proxy.target.apply(proxy.snapshot([createServer(b)]));
    expect(report.workers.map(({ pid }) => pid).sort()).toEqual(proxy.nginx.workerPids());
    expect(report.workers.every(({ version }) => version === report.version)).toBe(true);
    expect(await proxy.bodies(4)).toEqual([b, b, b, b]);
  });

  it('keep their version when nothing differs', async () => {
    await proxy.put(a, b);
    const before = (await proxy.target.state()).upstreams.test!;
    const snapshot = proxy.snapshot([createServer(a), createServer(b)]);
    await proxy.target.apply(snapshot);
    expect((await proxy.target.state()).upstreams.test).toMatchObject({
      version: before.version,
      crc: before.crc,
    });
    expect(proxy.target.differs(snapshot)).toBe(false);
    expect(proxy.target.differs(proxy.snapshot([createServer(a)]))).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['another format', 'hello\n'],
    ['a body without its end', 'upsync-lists 1\nu test 1\ns 127.0.0.1:1 1 2 10000 - 0 0\n'],
    ['a body cut in a list', 'upsync-lists 1\nu test 2\ns 127.0.0.1:1 1 2 10000 - 0 0\nend 1\n'],
    ['a wrong count of upstreams', 'upsync-lists 1\nu test 0\nend 2\n'],
    ['something after the end', 'upsync-lists 1\nu test 0\nend 1\nmore\n'],
    ['an upstream twice', 'upsync-lists 1\nu test 0\nu test 0\nend 2\n'],
    ['a host name', 'upsync-lists 1\nu test 1\ns host.example:80 1 2 10000 - 0 0\nend 1\n'],
    ['a weight of 0', 'upsync-lists 1\nu test 1\ns 127.0.0.1:1 0 2 10000 - 0 0\nend 1\n'],
    ['a weight too large', 'upsync-lists 1\nu test 1\ns 127.0.0.1:1 1000001 2 10000 - 0 0\nend 1\n'],
    [
      'a number without end',
      `upsync-lists 1\nu test 1\ns 127.0.0.1:1 1 ${'9'.repeat(30)} 10000 - 0 0\nend 1\n`,
    ],
    ['an unknown flag', 'upsync-lists 1\nu test 1\ns 127.0.0.1:1 1 2 10000 x 0 0\nend 1\n'],
    ['a field too many', 'upsync-lists 1\nu test 1\ns 127.0.0.1:1 1 2 10000 - 0 0 0\nend 1\n'],
  ])('are refused as a whole when the body is %s', async (_what, body) => {
    const { status, json } = await raw(body);
    expect(status).toBe(400);
    expect(json).toHaveProperty('error.code');
    expect((await proxy.get()).body).toBe(a);
    expect((await proxy.target.state()).upstreams.test!.version).toBe(0);
  });

  it('are taken for the upstreams nginx knows, and reported for the others', async () => {
    const results = await proxy.target.applyMany([
      proxy.snapshot([createServer(b)]),
      proxy.snapshot([createServer(c)], 'no such "upstream"'),
    ]);
    expect(results.map(({ ok }) => ok)).toEqual([true, false]);
    expect(results[1]).toMatchObject({ error: { code: 'TARGET_UNKNOWN_UPSTREAM' } });
    expect((await proxy.get()).body).toBe(b);
  });

  it('take addresses by the grammar of the domain', async () => {
    const good = [
      '1.2.3.4:1',
      '010.0.0.21:80',
      '[::]:1',
      '[2001:db8::1]:65535',
      '[::ffff:1.2.3.4]:80',
      '[1:2:3:4:5:6:7:8]:80',
      'unix:/run/a.sock',
    ];
    const bad = [
      '1.2.3:1',
      '1.2.3.4',
      '1.2.3.4:0',
      '1.2.3.4:65536',
      '1.2.3.256:1',
      '1.2.3.4:1;',
      '[::1]',
      '[:::]:1',
      '[1::2::3]:1',
      '[::1%lo]:1',
      '[1:2:3:4:5:6:7:8:9]:1',
      '[12345::]:1',
      '[::01.2.3.4]:1',
      'unix:run/a',
      'unix:/a b',
      `unix:/${'x'.repeat(107)}`,
      '{}:1',
      '"1.2.3.4":1',
    ];
    for (const address of [...good, ...bad]) {
      const { status } = await raw(encodeLists([{ upstream: 'test', servers: [createServer(address)] }]));
      expect([address, status]).toEqual([address, good.includes(address) ? 200 : 400]);
    }
  });

  it('answer to nothing but the control routes', async () => {
    expect((await raw('', 'GET', '/')).status).toBe(404);
    expect((await raw('', 'GET', '/lists')).status).toBe(404);
  });

  it('are in force again in a worker that takes the place of a killed one', async () => {
    await proxy.put(b, c);
    const [victim] = proxy.nginx.workerPids();
    process.kill(victim!, 'SIGKILL');
    await until(() => {
      const now = proxy.nginx.workerPids();
      return now.length === 2 && !now.includes(victim!);
    });
    await expect
      .poll(async () => {
        const [report] = await proxy.target.reports();
        return report!.workers.map(({ pid, version }) => (version === report!.version ? pid : 0)).sort();
      })
      .toEqual(proxy.nginx.workerPids());
    expect(new Set(await proxy.bodies(12))).toEqual(new Set([b, c]));
  });

  it('survive a reload, while a new upstream begins with the boot file', async () => {
    await proxy.put(b);
    proxy.nginx.configure(
      [bootUpstream('test', [createServer(a)]), bootUpstream('fresh', [createServer(c)])],
      proxyHttp({
        server:
          'location /fresh { proxy_pass http://fresh; } } upstream fresh { server 0.0.0.1 down; ' +
          'balancer_by_lua_block { package.loaded["upsync.nginx.worker"].balance("fresh") } } server { listen 127.0.0.1:PORT;',
      }),
    );
    await proxy.nginx.reload();
    expect((await proxy.get()).body).toBe(b);
    expect((await proxy.get('/fresh')).body).toBe(c);
    const [report] = await proxy.target.reports();
    await expect
      .poll(async () => (await proxy.target.reports())[0]!.workers.map(({ pid }) => pid).sort())
      .toEqual(proxy.nginx.workerPids());
    expect(report!.version).toBeGreaterThan(0);
    await proxy.put(a);
    expect((await proxy.get()).body).toBe(a);
  });

  it('are missed, and put back, when nginx was restarted behind our back', async () => {
    const snapshot = proxy.snapshot([createServer(b)]);
    await proxy.target.apply(snapshot);
    const { boot } = await proxy.target.state();
    await proxy.nginx.kill();
    await expect(proxy.target.reports()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
    await proxy.nginx.launch();
    expect((await proxy.get()).body).toBe(a);
    expect(await proxy.target.reports()).toEqual([]);
    expect((await proxy.target.state()).boot).not.toBe(boot);
    expect(proxy.target.differs(snapshot)).toBe(true);
    await proxy.target.apply(snapshot);
    expect((await proxy.get()).body).toBe(b);
  });

  it('are missed when somebody else changed them', async () => {
    const snapshot = proxy.snapshot([createServer(b)]);
    await proxy.target.apply(snapshot);
    expect(await proxy.target.reports()).toHaveLength(1);
    const other = createNginxWorkersTarget({ socketPath: proxy.nginx.socketPath, logger: SILENT });
    await other.apply(proxy.snapshot([createServer(c)]));
    await other.close();
    expect(await proxy.target.reports()).toEqual([]);
    await proxy.target.apply(snapshot);
    expect(await proxy.target.reports()).toHaveLength(1);
    expect(proxy.target.differs(snapshot)).toBe(false);
  });

  it('change 200 times under load without a failed request, a new worker or a share that is off', async () => {
    const pids = proxy.nginx.workerPids();
    const load = spawn('wrk', ['-t1', '-c16', '-d4s', `${proxy.nginx.url}/`]);
    let output = '';
    load.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = new Promise((resolve) => load.once('exit', resolve));
    for (let i = 0; i < 200; i++) {
      const servers = [a, b, c].filter((_, index) => (i + index) % 4 !== 0);
      await proxy.put(
        ...servers.map((address, index) => createServer(address, { weight: 1 + ((i * 7 + index) % 9) })),
      );
    }
    await proxy.put(
      createServer(a, { weight: 3 }),
      createServer(b, { weight: 2 }),
      createServer(c, { weight: 1 }),
    );
    await ended;
    expect(output).toMatch(/requests in/);
    expect(output).not.toMatch(/Non-2xx|Socket errors/);
    expect(proxy.nginx.workerPids()).toEqual(pids);
    expect(proxy.nginx.errors()).not.toMatch(/\[(error|alert|crit|emerg)\]/);
    const [report] = await proxy.target.reports();
    expect(report!.workers.every(({ version }) => version === report!.version)).toBe(true);
    for (const backend of backends) backend.requests = 0;
    await proxy.bodies(240);
    const shares = backends.map(({ requests }) => requests);
    expect(shares.map((share, index) => Math.abs(share - [120, 80, 40][index]!) <= 4)).toEqual([
      true,
      true,
      true,
    ]);
  });
});

describe('a shared dictionary that is full', () => {
  it('refuses the list that does not fit, says what is missing, and keeps all it has', async () => {
    const names = ['big', 'test'];
    const nginx = await LuaNginx.start({
      boot: names.map((name) => bootUpstream(name, [createServer(a)])),
      http: proxyHttp(),
      workers: 1,
      dictSize: '1m',
    });
    const target = createNginxWorkersTarget({ socketPath: nginx.socketPath, logger: SILENT });
    const list = (count: number) =>
      Array.from({ length: count }, (_, i) => createServer(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:80`));
    const put = (upstream: string, servers: ReturnType<typeof list>, version: number) =>
      target.apply({ upstream, version, servers, origin: { kind: 'static', source: 'test', at: 0 } });
    try {
      await put('test', [createServer(b)], 1);
      await put('big', list(4000), 1);
      await expect(put('big', list(30_000), 2)).rejects.toMatchObject({
        code: 'TARGET_DICTIONARY_FULL',
        message: expect.stringMatching(/needs \d+ bytes .* has \d+ left: the old list stays/) as string,
      });
      const state = await target.state();
      expect(state.upstreams).toMatchObject({ big: { version: 1, servers: 4000 }, test: { version: 1 } });
      await put('test', [createServer(c)], 2);
      await put('big', list(10), 3);
      expect((await target.state()).upstreams).toMatchObject({ big: { version: 2 }, test: { version: 2 } });
    } finally {
      await target.close();
      await nginx.stop();
    }
  });
});

describe('a great many lists', () => {
  it('go to nginx in one request, and change one by one afterwards', async () => {
    const names = Array.from({ length: 3000 }, (_, i) => `upstream-${i}`);
    const nginx = await LuaNginx.start({
      boot: [...names.map((name) => bootUpstream(name, [])), bootUpstream('test', [])],
      http: proxyHttp(),
      workers: 2,
    });
    const target = createNginxWorkersTarget({
      socketPath: nginx.socketPath,
      logger: SILENT,
      ackTimeoutMs: 10_000,
    });
    try {
      const origin = { kind: 'static', source: 'test', at: 0 } as const;
      const results = await target.applyMany(
        names.map((upstream, i) => ({
          upstream,
          version: 1,
          origin,
          servers: Array.from({ length: 8 }, (_, k) => createServer(`10.${i >> 8}.${i & 255}.${k}:80`)),
        })),
      );
      expect(
        results.every((result) => result.ok && result.value.workers.every(({ version }) => version === 1)),
      ).toBe(true);
      const report = await target.apply({
        upstream: 'upstream-7',
        version: 2,
        origin,
        servers: [createServer(a)],
      });
      expect(report.workers).toHaveLength(2);
      expect(report.workers.every(({ version }) => version === 2)).toBe(true);
    } finally {
      await target.close();
      await nginx.stop();
    }
  });
});
