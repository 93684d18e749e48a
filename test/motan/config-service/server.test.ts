import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createConfigService, type ConfigServiceOptions } from '../../../src/motan/config-service/server.ts';
import type { Provider, ProviderList } from '../../../src/motan/provider.ts';
import { createResolver } from '../../../src/motan/resolver.ts';
import { createTopology } from '../../../src/motan/topology.ts';
import { provider } from '../../helpers/motan-providers.ts';
import { listOf, MemoryRegistry, queryKey } from '../../helpers/motan-registry.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';

/** Whatever a reply holds. */
type Parsed = ReturnType<typeof JSON.parse>;

interface Client {
  get(path: string): Promise<{ status: number; body: Parsed }>;
  post(path: string, form: Record<string, string> | string): Promise<{ status: number; body: Parsed }>;
}

async function start(options: ConfigServiceOptions = {}): Promise<Client> {
  const service = await createConfigService({ listen: { port: 0 }, ...options });
  onTestFinished(() => service.close());
  const read = async (response: Response) => {
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  };
  return {
    get: async (path) => read(await fetch(service.url + path)),
    post: async (path, form) =>
      read(
        await fetch(service.url + path, {
          method: 'POST',
          body: typeof form === 'string' ? form : new URLSearchParams(form),
        }),
      ),
  };
}

async function withNames(
  servers: readonly Provider[],
): Promise<{ client: Client; registry: MemoryRegistry<ProviderList> }> {
  const registry = new MemoryRegistry<ProviderList>();
  registry.set('local/rs', listOf(servers));
  const resolver = createResolver({
    topology: createTopology({ local: 'a', idcs: [{ name: 'a' }] }),
    providers: (query) => registry.source(queryKey(query)),
    settleMs: 50,
  });
  onTestFinished(() => resolver.close());
  return { client: await start({ resolver, readyTimeoutMs: 200 }), registry };
}

const NAMING = '/naming/service?action=';
const CONFIG = '/1/config/service?action=';
const hosts = (nodes: { host: string }[]): string[] => nodes.map(({ host }) => host);

describe('lookups of names', () => {
  it('shows working and unreachable servers with a sign, and 304 while the sign is the same', async () => {
    const down = [2, 3].map((id) => provider(id, { health: 'critical' }));
    const { client, registry } = await withNames([
      provider(1),
      ...down,
      ...[4, 5, 6, 7, 8].map((id) => provider(id)),
    ]);
    const { status, body } = await client.get(`${NAMING}lookup&service=rs&cluster=a/6379`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ code: '200', body: { service: 'rs', cluster: 'a/6379' } });
    const { sign, nodes } = body.body;
    expect(hosts(nodes.working)).toContain('10.0.0.1:6379');
    expect(hosts(nodes.unreachable)).toEqual(['10.0.0.2:6379', '10.0.0.3:6379']);
    expect(JSON.parse(nodes.working[0].extInfo)).toMatchObject({ idc: 'a', rank: 0, weight: 1 });
    const poll = `${NAMING}lookupforupdate&service=rs.a.6379&sign=`;
    expect(await client.get(poll + sign)).toEqual({ status: 304, body: undefined });
    expect((await client.get(`${NAMING}getsign&service=rs.a.6379`)).body.body.sign).toBe(sign);
    registry.set('local/rs', listOf([provider(9)]));
    await expect.poll(async () => (await client.get(poll + sign)).status).toBe(200);
    expect(hosts((await client.get(poll + sign)).body.body.nodes.working)).toEqual(['10.0.0.9:6379']);
  });

  it.each([
    ['a missing service', `${NAMING}lookup`, 400],
    ['a service nobody knows', `${NAMING}lookup&service=x&cluster=y`, 400],
    ['a bad name', `${NAMING}lookup&service=rs_&cluster=a/6379`, 400],
    ['an unknown action', `${NAMING}explode`, 400],
    ['a write by GET', `${NAMING}register&service=x&cluster=y&node=10.0.0.1:80`, 400],
    ['another path', '/else', 404],
    ['a name nothing is known of yet', `${NAMING}lookup&service=unknown&cluster=a/1`, 503],
  ])('answers %s with an error envelope', async (_, request, status) => {
    const { client } = await withNames([]);
    const reply = await client.get(request);
    expect(reply.status).toBe(status);
    expect(reply.body).toMatchObject({ error_code: String(status), request: request.split('?')[0] });
  });
});

describe('services that register', () => {
  it('shows nodes as working from their first heartbeat until they miss too many', async () => {
    let now = 0;
    const client = await start({ now: () => now });
    const node = (at: number) => ({ service: 's', cluster: 'c', node: `10.0.0.${at}:80` });
    const beat = (...ids: number[]) => {
      const clusters = ids.map((at) => ({ cluster: 'c', node: `10.0.0.${at}:80` }));
      return JSON.stringify({ heartBeat: [{ service: 's', clusters }] });
    };
    const look = async () => (await client.get(`${NAMING}lookup&service=s&cluster=c`)).body.body.nodes;
    for (let at = 1; at <= 6; at++)
      await client.post(`${NAMING}register`, { ...node(at), extInfo: `n${at}` });
    expect(hosts((await look()).working)).toEqual([]);
    // Number 6 never works.
    expect((await client.post(`${NAMING}heartbeat`, beat(1, 2, 3, 4, 5))).body.body).toEqual({ unknown: [] });
    expect((await look()).working).toHaveLength(5);
    now = 14_000;
    await client.post(`${NAMING}heartbeat`, { message: beat(1, 2, 3, 4) });
    now = 20_000;
    expect(hosts((await look()).unreachable)).toEqual(['10.0.0.5:80', '10.0.0.6:80']);
    // All fall silent: three of the five that worked stay.
    now = 60_000;
    expect((await look()).working).toHaveLength(3);
    expect((await client.post(`${NAMING}unregister`, node(1))).body.body).toBe(true);
    expect(hosts((await look()).working)).not.toContain('10.0.0.1:80');
    expect((await client.post(`${NAMING}heartbeat`, beat(1))).body.body).toEqual({
      unknown: ['s c 10.0.0.1:80'],
    });
  });

  it('never lets static nodes expire, and gives equal sets equal signs', async () => {
    const client = await start();
    await client.post('/naming/admin?action=addservice', { service: 's', type: 'statics' });
    expect((await client.get('/naming/admin?action=getservice&service=s')).body.body).toMatchObject({
      type: 'statics',
      threshold: 0.6,
    });
    const nodes = ['10.0.0.1:80', '10.0.0.2:80'];
    for (const node of nodes) await client.post(`${NAMING}register`, { service: 's', cluster: 'c', node });
    for (const node of [...nodes].reverse())
      await client.post(`${NAMING}register`, { service: 's', cluster: 'd', node });
    const sign = async (cluster: string) =>
      (await client.get(`${NAMING}getsign&service=s&cluster=${cluster}`)).body.body.sign;
    expect(await sign('c')).toBe(await sign('d'));
    await client.post(`${NAMING}register`, { service: 's', cluster: 'd', node: nodes[0]!, extInfo: 'x' });
    expect(await sign('c')).not.toBe(await sign('d'));
  });

  it.each(['10.0.0.1', 'nonsense', '10.0.0.1:99999'])('refuses %s as a node', async (node) => {
    const client = await start();
    expect((await client.post(`${NAMING}register`, { service: 's', cluster: 'c', node })).status).toBe(400);
  });
});

describe('static groups', () => {
  it('keeps keys and values, in a file too, with a sign that follows them', async () => {
    const file = path.join(scratchFolder(), 'groups.json');
    const client = await start({ groupsFile: file });
    const empty = (await client.get(`${CONFIG}getsign&group=g`)).body.body.sign;
    await client.post(`${CONFIG}register`, { group: 'g', key: 'b', value: '2' });
    await client.post(`${CONFIG}register`, { group: 'g', key: 'a', value: '1' });
    const { body } = (await client.get(`${CONFIG}lookup&group=g`)).body;
    expect(body).toMatchObject({
      group: 'g',
      nodes: [
        { key: 'a', value: '1' },
        { key: 'b', value: '2' },
      ],
    });
    expect(body.sign).not.toBe(empty);
    expect((await client.get(`${CONFIG}lookupforupdate&group=g&sign=${body.sign}`)).status).toBe(304);
    expect((await client.get(`${CONFIG}lookup&group=g&key=b`)).body.body.nodes).toEqual([
      { key: 'b', value: '2' },
    ]);
    expect((await client.get(`${CONFIG}getkeys&group=g`)).body.body).toEqual({ keys: ['a', 'b'] });
    expect((await client.get(`${CONFIG}getgroup`)).body.body).toEqual({ groups: ['g'] });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ g: { a: '1', b: '2' } });
    const again = await start({ groupsFile: file });
    expect((await again.get(`${CONFIG}getsign&group=g`)).body.body.sign).toBe(body.sign);
    for (const key of ['a', 'b']) await again.post(`${CONFIG}unregister`, { group: 'g', key });
    expect((await again.get(`${CONFIG}getsign&group=g`)).body.body.sign).toBe(empty);
  });
});
