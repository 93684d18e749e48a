import { createServer as createNetServer } from 'node:net';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openAdmin, type AdminServer } from '../../src/sidecar/admin.ts';
import { isTrustedHost } from '../../src/sidecar/admin-host.ts';
import type { EngineStatus } from '../../src/sidecar/engine-status.ts';
import { createServer } from '../../src/upstream/server.ts';
import { createSync, type Sync } from '../../src/upsync/sync.ts';
import { FakeSource } from '../helpers/fake-source.ts';
import { FakeNginx } from '../helpers/fake-target.ts';
import { testPlan } from '../helpers/plan.ts';

let folder: string;
let source: FakeSource;
let sync: Sync;
let admin: AdminServer;
const status = (): EngineStatus => ({ pid: 7, startedAt: 0, upstreams: sync.status() });
const get = (path: string, init?: RequestInit) => fetch(new URL(path, admin.url), init);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upsync-admin-'));
  source = new FakeSource('consul <script>');
  sync = createSync({
    plans: [testPlan(folder, 'a')],
    nginxTargets: [new FakeNginx()],
    openSources: () => [source],
  });
  await sync.start();
  admin = await openAdmin({ host: '127.0.0.1', port: 0 }, { status, sync });
});
afterAll(async () => {
  await admin.close();
  await sync.close();
  await rm(folder, { recursive: true, force: true });
});

describe('before the registry answered', () => {
  test('it is healthy, and not ready', async () => {
    expect((await get('/healthz')).status).toBe(200);
    const ready = await get('/readyz');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ ready: false, waiting: ['a'] });
  });
});

describe('when it runs', () => {
  beforeAll(async () => {
    source.set([createServer('10.0.0.2:80', { weight: 3 }), createServer('10.0.0.3:80', { down: true })]);
    await sync.ready('a');
  });
  beforeEach(() => expect(admin.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/));

  test('it is ready', async () => {
    expect(await (await get('/readyz')).json()).toEqual({ ready: true, waiting: [] });
  });

  test('lists are told as JSON, all and one, and as upstream_show text', async () => {
    const all = (await (await get('/upstreams')).json()) as unknown[];
    expect(all).toMatchObject([
      { name: 'a', version: 2, servers: [{ address: '10.0.0.3:80' }, { weight: 3 }] },
    ]);
    expect(await (await get('/upstreams/a')).json()).toMatchObject({ name: 'a' });
    expect((await get('/upstreams/none')).status).toBe(404);
    expect(await (await get('/upstream_show?A')).text()).toBe(
      'Upstream name: a; Backend server count: 2\n' +
        '        server 10.0.0.3:80 weight=1 max_fails=2 fail_timeout=10s down;\n' +
        '        server 10.0.0.2:80 weight=3 max_fails=2 fail_timeout=10s;\n',
    );
  });

  test('metrics say what Prometheus wants to know', async () => {
    const text = await (await get('/metrics')).text();
    expect(text).toContain('upsync_upstream_servers{upstream="a",state="up"} 1');
    expect(text).toContain('upsync_upstream_servers{upstream="a",state="down"} 1');
    expect(text).toContain('upsync_upstream_servers{upstream="a",state="drain"} 0');
    expect(text).toContain('upsync_list_version{upstream="a"} 2');
    expect(text).toContain('upsync_last_success_age_seconds{upstream="a"} 0');
    expect(text).toContain('upsync_polls_total{upstream="a"} 1');
    expect(text).toContain('upsync_upstream_ready{upstream="a"} 1');
    expect(text).toMatch(/upsync_worker_version\{upstream="a",pid="11"\} 2/);
    expect(text).toMatch(/upsync_apply_seconds_count\{target="fake target",result="ok"\} [1-9]/);
    expect(await (await get('/metrics')).text()).toContain('upsync_polls_total{upstream="a"} 1');
  });

  test('changes arrive as events', async () => {
    const answer = await get('/events');
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes(': upsync')) text += (await reader.read()).value;
    source.set([createServer('10.0.0.9:80')]);
    while (!text.includes('"version":3')) text += (await reader.read()).value;
    expect(text).toContain('event: list');
    await reader.cancel();
  });

  test('the page brings its own script and style, and lets in nothing else', async () => {
    const page = await get('/');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    const html = await page.text();
    expect(html).not.toMatch(/https?:\/\//);
    const script = await (await get('/page.js')).text();
    expect(script).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write|eval\(|https?:/);
    expect(() => new Script(script.replaceAll('await ', ''))).not.toThrow();
    expect((await get('/page.css')).headers.get('content-type')).toContain('text/css');
  });

  test('the page is small, and never writes an address into markup or a style attribute', async () => {
    const parts = await Promise.all(
      ['/', '/page.js', '/page.css'].map(async (path) => (await get(path)).text()),
    );
    expect(parts.join('').length).toBeLessThan(16_000);
    expect(parts.join('')).not.toMatch(/style=|setAttribute|outerHTML|javascript:|url\(/);
  });

  test('hundreds of servers of one upstream do not push the others out of sight', async () => {
    const [script, style] = await Promise.all(
      ['/page.js', '/page.css'].map(async (path) => (await get(path)).text()),
    );
    expect(style).toMatch(/\.servers \{ max-height: \d+rem; overflow-y: auto; \}/);
    // What is scrolled to stays there when the box is drawn anew, and the keyboard reaches it.
    expect(script).toContain('scrollTo(0, scrolled)');
    expect(script).toContain('box.tabIndex = 0');
  });

  test('it only reads', async () => {
    const answer = await get('/upstreams', { method: 'POST', body: '{}' });
    expect(answer.status).toBe(405);
    expect((await get('/healthz', { method: 'HEAD' })).status).toBe(200);
  });
});

test.each([
  ['127.0.0.1:8600', true],
  ['[::1]:8600', true],
  ['10.1.2.3', true],
  ['localhost:8600', true],
  ['Upsync.internal:8600', true],
  ['attacker.example:8600', false],
  ['localhost.attacker.example', false],
  ['127.0.0.1.attacker.example', false],
  ['a@b', false],
  [undefined, false],
])('a request for host %s is answered: %s', (host, trusted) => {
  expect(isTrustedHost(host, 'upsync.internal')).toBe(trusted);
});

test('an address in use is an error that names it', async () => {
  const taken = createNetServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  await expect(openAdmin({ host: '127.0.0.1', port }, { status, sync })).rejects.toMatchObject({
    code: 'EADDRINUSE',
    port,
  });
  taken.close();
});

test('closing ends open event streams', async () => {
  const other = await openAdmin({ host: '127.0.0.1', port: 0 }, { status, sync });
  const answer = await fetch(new URL('/events', other.url));
  const body = answer.text().catch(() => 'cut');
  await other.close();
  expect(await body).toBeDefined();
});
