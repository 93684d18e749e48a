import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createConfigService, type ConfigServiceOptions } from '../../../src/motan/config-service/server.ts';
import { writersOf } from '../../../src/motan/config-service/writers.ts';
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

  it('asks a client to come back later when too many names are looked up', async () => {
    const resolver = createResolver({
      topology: createTopology({ local: 'a', idcs: [{ name: 'a' }] }),
      providers: () => new MemoryRegistry<ProviderList>().source('none'),
      settleMs: 20,
    });
    onTestFinished(() => resolver.close());
    const client = await start({ resolver, readyTimeoutMs: 20, maxNames: 2 });
    const said = await Promise.all(
      ['x', 'y', 'z'].map((service) => client.get(`${NAMING}lookup&service=${service}&cluster=a/1`)),
    );
    expect(said.map(({ status }) => status)).toEqual([503, 503, 503]);
    expect(said.filter(({ body }) => body.error.includes('try again later'))).toHaveLength(1);
  });

  it('shows registered nodes before those of a name, and the name again when they are gone', async () => {
    const { client } = await withNames([provider(1)]);
    const lookup = async (service: string, cluster: string) => {
      const { body } = await client.get(`${NAMING}lookup&service=${service}&cluster=${cluster}`);
      return hosts([...body.body.nodes.working, ...body.body.nodes.unreachable]);
    };
    for (const [service, cluster, after] of [
      ['rs', 'a/6379', ['10.0.0.1:6379']],
      ['rs', 'elsewhere/6379', []],
      ['r_s', 'a/6379', []],
      ['rs', 'com.x.Y/service', []],
    ] as const) {
      const form = { service, cluster, node: '10.9.9.9:1' };
      await client.post(`${NAMING}register`, form);
      expect(await lookup(service, cluster)).toEqual(['10.9.9.9:1']);
      await client.post(`${NAMING}unregister`, form);
      expect(await lookup(service, cluster)).toEqual(after);
    }
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

  it('can be described, changed and taken out, whole, by the cluster and by lists of nodes', async () => {
    const client = await start();
    const admin = (action: string, form: Record<string, string>) =>
      client.post(`/naming/admin?action=${action}`, form).then(({ status, body }) => [status, body.body]);
    const get = async (action: string) =>
      (await client.get(`/naming/admin?action=${action}&service=s`)).body.body;
    expect((await admin('updateservice', { service: 's', threshold: '1' }))[0]).toBe(400);
    expect((await admin('addcluster', { service: 's', cluster: 'c' }))[0]).toBe(400);
    await admin('addservice', { service: 's', type: 'statics' });
    expect(await admin('updateservice', { service: 's', threshold: '1' })).toEqual([200, true]);
    expect(await admin('addcluster', { service: 's', cluster: 'c' })).toEqual([200, true]);
    expect(await get('getservice')).toMatchObject({ type: 'statics', threshold: 1, clusters: ['c'] });
    const look = async () =>
      (await client.get(`${NAMING}lookup&service=s&cluster=c`)).body.body.nodes.working;
    expect(await look()).toEqual([]);
    for (let at = 1; at <= 3; at++)
      await client.post(`${NAMING}register`, { service: 's', cluster: 'c', node: `10.0.0.${at}:80` });
    const node = '10.0.0.1:80, 10.0.0.3:80,10.0.0.9:80';
    const gone = await client.post(`${NAMING}batchunregister`, { service: 's', cluster: 'c', node });
    expect(gone.body.body).toBe(2);
    expect(hosts(await look())).toEqual(['10.0.0.2:80']);
    expect(await get('getcluster')).toEqual({ service: 's', clusters: ['c'] });
    expect(await admin('deletecluster', { service: 's', cluster: 'c' })).toEqual([200, true]);
    expect(await get('getcluster')).toEqual({ service: 's', clusters: [] });
    expect(await admin('deleteservice', { service: 's' })).toEqual([200, true]);
    expect(await admin('deleteservice', { service: 's' })).toEqual([200, false]);
    expect((await client.get(`${NAMING}lookup&service=s&cluster=c`)).status).toBe(400);
  });

  it('are found again by the next one, who gives those that worked the time to beat', async () => {
    const nodesFile = path.join(scratchFolder(), 'nodes.json');
    let now = 0;
    const open = () => createConfigService({ listen: { port: 0 }, nodesFile, now: () => now });
    const first = await open();
    const post = (form: string, body = '') => fetch(`${first.url}${NAMING}${form}`, { method: 'POST', body });
    for (let at = 1; at <= 3; at++)
      await post(`register&service=s&cluster=c&node=10.0.0.${at}:80&extInfo=n${at}`);
    const clusters = [1, 2].map((at) => ({ cluster: 'c', node: `10.0.0.${at}:80` }));
    await post('heartbeat', JSON.stringify({ heartBeat: [{ service: 's', clusters }] }));
    await expect.poll(() => existsSync(nodesFile)).toBe(true);
    await first.close();
    now = 1_000_000;
    const second = await open();
    const look = async () =>
      ((await (await fetch(`${second.url}${NAMING}lookup&service=s&cluster=c`)).json()) as Parsed).body.nodes;
    expect(hosts((await look()).working)).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
    expect((await look()).working[0].extInfo).toBe('n1');
    expect(hosts((await look()).unreachable)).toEqual(['10.0.0.3:80']);
    now += 20_000;
    expect((await look()).unreachable.length).toBeGreaterThan(0);
    await second.close();
    writeFileSync(
      nodesFile,
      '[{"name": 1}, null, {"name": "t", "clusters": [{"nodes": [{"node": "no"}]}]}, 7]',
    );
    await (await open()).close();
    writeFileSync(nodesFile, '{');
    await expect(open()).rejects.toMatchObject({ code: 'CONFIG_FILE' });
  });

  it('are changed only from the addresses that may', async () => {
    const node = { service: 's', cluster: 'c', node: '10.0.0.1:80' };
    const closed = await start({ writers: ['10.0.0.0/8', '2001:db8::/32'] });
    const refused = await closed.post(`${NAMING}register`, node);
    expect(refused.status).toBe(401);
    expect(refused.body).toMatchObject({ error_code: '401' });
    expect((await closed.get(`${CONFIG}getgroup`)).status).toBe(200);
    const open = await start({ writers: ['10.0.0.7', '127.0.0.0/8'] });
    expect((await open.post(`${NAMING}register`, node)).status).toBe(200);
    for (const writer of ['everybody', '10.0.0.0/33', '::1/129', ''])
      await expect(createConfigService({ writers: [writer] })).rejects.toMatchObject({ code: 'BAD_WRITER' });
    expect(writersOf(['10.0.0.0/8'])('::ffff:10.1.1.1')).toBe(true);
    expect(writersOf(['::1'])('::1')).toBe(true);
    expect(writersOf(['::1'])(undefined)).toBe(false);
  });

  it('tells a change to a part of those who ask only, when it is told to', async () => {
    let random = 0;
    const client = await start({ changedShare: 0.25, random: () => random });
    const add = (at: number) =>
      client.post(`${NAMING}register`, { service: 's', cluster: 'c', node: `10.0.0.${at}:80` });
    await add(1);
    const ask = (sign: string) => client.get(`${NAMING}lookupforupdate&service=s&cluster=c&sign=${sign}`);
    random = 0.9;
    const { sign } = (await ask('')).body.body;
    await add(2);
    expect((await ask(sign)).status).toBe(304);
    random = 0.25;
    expect((await ask(sign)).status).toBe(304);
    random = 0.2499;
    const changed = await ask(sign);
    expect(changed.status).toBe(200);
    expect((await ask(changed.body.body.sign)).status).toBe(304);
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
