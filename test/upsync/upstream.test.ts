import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmbeddedRegistry, type EmbeddedRegistry } from '../../src/discovery/embedded/registry.ts';
import { createServer } from '../../src/upstream/server.ts';
import { createUpstream, type Upstream } from '../../src/upsync/upstream.ts';
import { closedAddress, startBackend, type Backend } from '../helpers/backend.ts';

let registry: EmbeddedRegistry;
let backends: Backend[];
let folder: string;
const open: Upstream[] = [];

beforeEach(async () => {
  registry = await createEmbeddedRegistry({ listen: '127.0.0.1:0' });
  backends = await Promise.all([startBackend(), startBackend()]);
  folder = await mkdtemp(path.join(tmpdir(), 'upsync-upstream-'));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((upstream) => upstream.close()));
  await Promise.all([registry.close(), ...backends.map((backend) => backend.close())]);
  await rm(folder, { recursive: true, force: true });
});

function directive(host = registry.url.replace('http://', '')): string {
  return `upsync ${host}/v1/kv/upstreams/api/ upsync_type=consul upsync_interval=10ms seed=0;`;
}
async function put(address: string, value = '{}'): Promise<void> {
  await request(`${registry.url}/v1/kv/upstreams/api/${address}`, { method: 'PUT', body: value }).then(
    ({ body }) => body.dump(),
  );
}
async function ask(upstream: Upstream): Promise<string> {
  return (await request('http://api/', { dispatcher: upstream.dispatcher })).body.text();
}
function create(options: Omit<Parameters<typeof createUpstream>[0], 'name'>): Upstream {
  const upstream = createUpstream({ name: 'api', ...options });
  open.push(upstream);
  return upstream;
}

describe('createUpstream', () => {
  it('follows a directive as in nginx.conf and sends requests to its servers', async () => {
    await put(backends[0]!.address);
    const upstream = create({ source: directive() });
    await upstream.ready();
    expect(await ask(upstream)).toBe(backends[0]!.address);
    await put(backends[1]!.address);
    await put(backends[0]!.address, '{"down":1}');
    for await (const { servers } of upstream.snapshots()) if (servers.some(({ down }) => down)) break;
    expect(await ask(upstream)).toBe(backends[1]!.address);
  });

  it.each([
    ['the directive’s', 'slow_start=30s', {}, 30_000],
    ['our own option before the directive’s', 'slow_start=30s', { slowStartMs: 5000 }, 5000],
    ['none', '', {}, 0],
  ])('ramps servers that name no ramp: %s', async (_case, word, options, expected) => {
    await put(backends[0]!.address);
    await put(backends[1]!.address, '{"slow_start":"7s"}');
    const dump = path.join(folder, 'api.conf');
    const upstream = create({ source: directive().replace(';', ` ${word};`), dump, ...options });
    const { servers } = await upstream.ready();
    const ramps = new Map(servers.map(({ address, slowStartMs }) => [address, slowStartMs]));
    expect(ramps.get(backends[0]!.address)).toBe(expected);
    expect(ramps.get(backends[1]!.address)).toBe(7000);
    expect(upstream.dispatcher.servers).toEqual(servers);
    await upstream.close();
    expect((await readFile(dump, 'utf8')).match(/slow_start=\S+/g)).toEqual(['slow_start=7s;']);
  });

  it('starts from the dump when the registry is down', async () => {
    await put(backends[0]!.address, '{"weight":7}');
    const dump = path.join(folder, 'api.conf');
    const first = create({ source: directive(), dump });
    await first.ready();
    await first.close();
    expect(await readFile(dump, 'utf8')).toContain(`server ${backends[0]!.address} weight=7`);
    const second = create({ source: directive(await closedAddress()), dump });
    const { origin, servers } = await second.ready();
    expect([origin.kind, servers[0]?.weight, await ask(second)]).toEqual(['dump', 7, backends[0]!.address]);
  });

  it('uses the initial list until the registry answers', async () => {
    const upstream = create({
      source: directive(await closedAddress()),
      initial: [createServer(backends[0]!.address)],
    });
    expect((await upstream.ready()).origin.kind).toBe('static');
  });

  it('says so when no list comes in time', async () => {
    const upstream = create({ source: directive(await closedAddress()) });
    await expect(upstream.ready(50)).rejects.toMatchObject({ code: 'UPSTREAM_NOT_READY' });
  });

  it('refuses a text that is no directive', () => {
    expect(() => createUpstream({ name: 'api', source: '127.0.0.1:8500/v1/kv/x' })).toThrow('upsync_type');
  });
});
