import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EmbeddedRegistry, EmbeddedRegistryOptions } from '../../../src/discovery/embedded/registry.ts';
import { startEmbeddedRegistry } from '../../helpers/embedded-registry.ts';

let folder: string;
const open: EmbeddedRegistry[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upsync-registry-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));
afterEach(async () => {
  await Promise.all(open.splice(0).map(async (registry) => registry.close()));
});

async function start(options?: EmbeddedRegistryOptions): Promise<EmbeddedRegistry> {
  const registry = await startEmbeddedRegistry(options);
  open.push(registry);
  return registry;
}

async function get(registry: EmbeddedRegistry, path: string) {
  const reply = await fetch(registry.url + path);
  return {
    status: reply.status,
    index: Number(reply.headers.get('x-consul-index')),
    text: await reply.text(),
  };
}

describe('the embedded registry', () => {
  it('says who has its port, instead of failing with a bare code', async () => {
    const first = await start();
    await expect(start({ listen: `127.0.0.1:${first.port}` })).rejects.toMatchObject({
      code: 'REGISTRY_PORT_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${first.port}`) as string,
    });
  });

  it.each(['8500', 'host:port', '127.0.0.1:70000', '::1:8500', ''])(
    'refuses to listen on "%s"',
    async (listen) => {
      await expect(start({ listen })).rejects.toMatchObject({ code: 'REGISTRY_BAD_LISTEN' });
    },
  );

  it('listens on IPv6 and names itself accordingly', async () => {
    const registry = await start({ listen: '[::1]:0' });
    expect(registry.url).toBe(`http://[::1]:${registry.port}`);
    expect((await get(registry, '/v1/status/leader')).text).toBe(`"[::1]:${registry.port}"`);
  });

  it('closes at once although clients wait, twice if asked', async () => {
    const registry = await start();
    const polls = Array.from({ length: 20 }, async () =>
      get(registry, '/v1/kv/x?index=99&wait=5m').catch(() => 'cut'),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    await Promise.all([registry.close(), registry.close()]);
    expect(new Set(await Promise.all(polls))).toEqual(new Set(['cut']));
  });

  it('frees the waiter of a client that leaves', async () => {
    const registry = await start();
    const leaving = new AbortController();
    const poll = fetch(`${registry.url}/v1/kv/x?index=99&wait=5m`, { signal: leaving.signal }).catch(
      () => undefined,
    );
    while (registry.store.indexes.watched === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    leaving.abort();
    await poll;
    while (registry.store.indexes.watched > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('wakes HTTP clients for writes of its own process', async () => {
    const registry = await start();
    const { index } = await get(registry, '/v1/kv/a/?recurse');
    const poll = get(registry, `/v1/kv/a/?recurse&index=${index}&wait=10s`);
    while (registry.store.indexes.watched === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    registry.store.kv.put('a/b', Buffer.from('1'));
    expect((await poll).status).toBe(200);
  });

  it('cuts connections beyond the limit of one client, when there is one', async () => {
    const registry = await start({ maxConnectionsPerClient: 2 });
    const sockets = [1, 2].map(() => createConnection({ host: '127.0.0.1', port: registry.port }));
    await Promise.all(
      sockets.map(async (socket) => new Promise((resolve) => socket.once('connect', resolve))),
    );
    const reply = await new Promise<string>((resolve) => {
      let text = '';
      const third = createConnection({ host: '127.0.0.1', port: registry.port });
      third.on('data', (chunk) => (text += chunk.toString()));
      third.on('error', () => undefined);
      third.on('close', () => resolve(text));
    });
    expect(reply).toMatch(/^HTTP\/1\.1 429 /);
    for (const socket of sockets) socket.destroy();
  });

  it.each(['/v1/session/create', '/v1/txn', '/v1/event/list', '/v1/acl/tokens', '/v1/agent/leave'])(
    'answers %s with 501 instead of pretending',
    async (path) => {
      const reply = await fetch((await start()).url + path, { method: 'PUT' });
      expect(reply.status).toBe(501);
      expect(await reply.text()).toContain('not supported');
    },
  );

  it('survives any path, method and body', async () => {
    const registry = await start();
    const paths = fc.constantFrom(
      ...[
        'kv/',
        'kv/a',
        'catalog/register',
        'catalog/deregister',
        'agent/service/register',
        'agent/check/register',
      ],
      ...[
        'agent/check/update/x',
        'health/service/x',
        'health/state/any',
        'catalog/node/x',
        'agent/self',
        'status/leader',
      ],
    );
    const queries = fc.dictionary(
      fc.constantFrom(
        'index',
        'wait',
        'recurse',
        'keys',
        'separator',
        'cas',
        'flags',
        'filter',
        'tag',
        'enable',
        'node-meta',
        'passing',
        'dc',
        'pretty',
      ),
      fc.string({ maxLength: 8 }),
    );
    await fc.assert(
      fc.asyncProperty(
        paths,
        queries,
        fc.constantFrom('GET', 'PUT', 'DELETE', 'POST'),
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.object().map((value) => JSON.stringify({ Node: 'n', Address: 'a', Name: 'x', ...value })),
        ),
        async (path, query, method, body) => {
          const search = new URLSearchParams({ ...query, wait: '1ms' }).toString();
          const reply = await fetch(`${registry.url}/v1/${path}?${search}`, {
            method,
            ...(method === 'GET' ? {} : { body }),
            signal: AbortSignal.timeout(5000),
          });
          expect(await reply.text()).not.toContain('internal error');
        },
      ),
      { numRuns: 500 },
    );
    expect((await get(registry, '/v1/status/leader')).status).toBe(200);
  });
});

describe('the data file', () => {
  const path = (name: string) => join(folder, name);

  it('brings keys, catalog, services and checks back, and no index ever falls', async () => {
    const dataFile = path('restored.json');
    const first = await start({ dataFile });
    const request = async (method: string, url: string, body?: object | string) =>
      fetch(first.url + url, {
        method,
        ...(body ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {}),
      });
    await request('PUT', '/v1/kv/up/a?flags=18446744073709551615', 'ü\u0000');
    await request('PUT', '/v1/kv/up/b', '1');
    await request('DELETE', '/v1/kv/up/b');
    await request('PUT', '/v1/agent/service/register', {
      Name: 'web',
      Check: { TTL: '1h', Status: 'passing' },
    });
    await request('PUT', '/v1/catalog/register', {
      Node: 'n',
      Address: 'a',
      Service: { Service: 'api', Port: 1 },
    });
    const reads = [
      '/v1/kv/up/?recurse',
      '/v1/health/service/web',
      '/v1/catalog/service/api',
      '/v1/health/service/none',
      '/v1/kv/none',
      '/v1/catalog/nodes',
    ];
    const before = await Promise.all(reads.map(async (read) => get(first, read)));
    await first.close();

    const second = await start({ dataFile, listen: `127.0.0.1:${first.port}` });
    const after = await Promise.all(reads.map(async (read) => get(second, read)));
    for (const [at, read] of reads.entries()) {
      expect([read, after[at]!.text]).toEqual([read, before[at]!.text]);
      expect(after[at]!.index).toBeGreaterThan(before[at]!.index);
    }
    expect((await fetch(`${second.url}/v1/agent/check/pass/service:web`, { method: 'PUT' })).status).toBe(
      200,
    );
    expect((await get(second, '/v1/agent/services')).text).toContain('"web"');
  });

  it('of a moment before a crash still brings indexes above all that were handed out', async () => {
    const dataFile = path('crashed.json');
    const copy = path('crashed copy.json');
    const first = await start({ dataFile });
    first.store.kv.put('a/1', Buffer.from('1'));
    await copyFile(dataFile, copy);
    for (let at = 0; at < 500; at++) first.store.kv.put('a/1', Buffer.from(String(at)));
    const lost = await get(first, '/v1/kv/a/?recurse');
    const second = await start({ dataFile: copy });
    expect((await get(second, '/v1/kv/a/?recurse')).index).toBeGreaterThan(lost.index);
  });

  it('is written soon after a write, without a close, private to its owner', async () => {
    const dataFile = path('soon.json');
    const registry = await start({ dataFile });
    registry.store.kv.put('soon', Buffer.from('1'));
    const deadline = Date.now() + 5000;
    while (!(await readFile(dataFile, 'utf8')).includes('"soon"') && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await readFile(dataFile, 'utf8')).toContain('"soon"');
    expect((await stat(dataFile)).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['empty', ''],
    ['cut off', '{"format":"upsync-registry","version":1,"index":5,"nodeId":"x",\n"kv":[["a","MQ==",'],
    ['of another program', '{"hello":1}'],
    ['of another version', '{"format":"upsync-registry","version":2}'],
    [
      'with a bad check',
      '{"format":"upsync-registry","version":1,"index":5,"nodeId":"x","kv":[],"nodes":[],"services":[],"checks":[],"agent":{"services":[],"checks":[["a",{}]]}}',
    ],
    [
      'with a bad entry',
      '{"format":"upsync-registry","version":1,"index":5,"nodeId":"x","kv":[[1]],"nodes":[],"services":[],"checks":[],"agent":{"services":[],"checks":[]}}',
    ],
  ])('that is %s stops the start and stays as it is', async (what, text) => {
    const dataFile = path(`bad ${what}.json`);
    await writeFile(dataFile, text);
    await expect(start({ dataFile })).rejects.toMatchObject({
      code: 'REGISTRY_DATA_CORRUPT',
      message: expect.stringContaining(dataFile) as string,
    });
    expect(await readFile(dataFile, 'utf8')).toBe(text);
  });

  it('that cannot be read or written stops the start', async () => {
    await expect(start({ dataFile: folder })).rejects.toMatchObject({ code: 'REGISTRY_DATA_UNREADABLE' });
    await expect(start({ dataFile: path('no/such/folder.json') })).rejects.toMatchObject({
      code: 'REGISTRY_DATA_UNWRITABLE',
      message: expect.stringContaining(`the folder ${path('no/such')} does not exist`) as string,
    });
  });

  it('that cannot be written any more is reported, and the registry goes on serving', async () => {
    const inner = await mkdtemp(join(folder, 'full-'));
    const dataFile = join(inner, 'data.json');
    const events: string[] = [];
    const log = (_fields: object, event: string) => void events.push(event);
    const registry = await start({ dataFile, logger: { debug: log, info: log, warn: log, error: log } });
    await rm(inner, { recursive: true });
    registry.store.kv.put('a', Buffer.from('1'));
    const deadline = Date.now() + 5000;
    while (!events.includes('registry_data_not_written') && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(events).toContain('registry_data_not_written');
    expect((await get(registry, '/v1/kv/a?raw')).text).toBe('1');
    await expect(registry.close()).rejects.toMatchObject({ code: 'REGISTRY_DATA_UNWRITABLE' });
    open.splice(open.indexOf(registry), 1);
  });
});

it('serves 6,500 upstreams of 7 servers in one recursive read, and again after each change', async () => {
  const registry = await start();
  for (let upstream = 0; upstream < 6500; upstream++)
    for (let server = 0; server < 7; server++)
      registry.store.kv.put(`upstreams/u${upstream}/10.0.${server}.1:80`, Buffer.from('{"weight":1}'));
  const first = await get(registry, '/v1/kv/upstreams/?recurse');
  expect(JSON.parse(first.text)).toHaveLength(45_500);
  const poll = get(registry, `/v1/kv/upstreams/?recurse&index=${first.index}&wait=30s`);
  while (registry.store.indexes.watched === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  registry.store.kv.put('upstreams/u5/10.0.0.1:80', Buffer.from('{"weight":2}'));
  expect((await poll).index).toBeGreaterThan(first.index);
});
