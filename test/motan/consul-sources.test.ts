import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EmbeddedRegistry } from '../../src/discovery/embedded/registry.ts';
import { previewLiveCommand } from '../../src/motan/commands/preview-live.ts';
import { consulDatacenter, consulSources } from '../../src/motan/consul-sources.ts';
import { createMotanRegistry, type MotanRegistry } from '../../src/motan/motan-registry.ts';
import type { Resolution, Resolver } from '../../src/motan/resolution.ts';
import { createResolver } from '../../src/motan/resolver.ts';
import { registrationBody } from '../../src/motan/service.ts';
import { createTopology, motanGroupMapping, type NameMapping } from '../../src/motan/topology.ts';
import { createMotanUrl, parseMotanUrl } from '../../src/motan/url.ts';
import { startEmbeddedRegistry } from '../helpers/embedded-registry.ts';
import { until } from '../helpers/motan-registry.ts';

let registry: EmbeddedRegistry;
const open: (Resolver | MotanRegistry)[] = [];

beforeEach(async () => {
  registry = await startEmbeddedRegistry({ datacenter: 'a' });
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await registry.close();
});

async function put(path: string, body: unknown): Promise<void> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const reply = await fetch(`${registry.url}${path}`, { method: 'PUT', body: text });
  if (!reply.ok) throw new Error(`${path} answered ${reply.status}: ${await reply.text()}`);
}

async function provide(
  group: string,
  port: number,
  parameters: Record<string, string> = {},
  path = 'com.x.Y',
) {
  const all = { group, nodeType: 'service', version: '1.0', ...parameters };
  await put(
    '/v1/agent/service/register',
    registrationBody(createMotanUrl('motan', '127.0.0.1', port, path, all)),
  );
  await put(`/v1/agent/check/pass/service:127.0.0.1:${port}-${path}`, '');
}

function resolver(mapping?: NameMapping): Resolver {
  const sources = consulSources({ addresses: [registry.url], intervalMs: 20 });
  const idcs = [{ name: 'a' }, { name: 'b' }];
  const made = createResolver({
    topology: createTopology({ local: 'a', idcs, ...(mapping === undefined ? {} : { mapping }) }),
    ...sources,
    localIp: '127.0.0.1',
    settleMs: 300,
  });
  open.push(made);
  return made;
}

function motanRegistry(): MotanRegistry {
  const made = createMotanRegistry({
    ...consulSources({ addresses: [registry.url], intervalMs: 20 }),
    localIp: '127.0.0.1',
  });
  open.push(made);
  return made;
}

const command = (entry: object): string =>
  JSON.stringify({ clientCommandList: [{ pattern: '*', ...entry }] });
const used = ({ servers }: Resolution): string[] =>
  servers
    .filter(({ share }) => share > 0)
    .map(({ idc, port }) => `${idc}:${port}`)
    .sort();

describe('a resolver on Consul', () => {
  it('knows weights, health and the port', async () => {
    const service = { Name: 'rs', Address: '10.0.0.1', Port: 6379 };
    await put('/v1/agent/service/register', { ...service, ID: '1', Tags: ['weight=20'] });
    await put('/v1/agent/service/register', {
      ...service,
      ID: '2',
      Address: '10.0.0.2',
      Weights: { Passing: 16, Warning: 1 },
    });
    await put('/v1/agent/service/register', {
      ...service,
      ID: '3',
      Address: '10.0.0.3',
      Check: { TTL: '30s', Status: 'critical' },
    });
    await put('/v1/agent/service/register', { ...service, ID: '4', Address: '10.0.0.4', Tags: ['drain'] });
    await put('/v1/agent/service/register', { ...service, ID: '5', Address: '10.0.0.5', Port: 6380 });
    const names = resolver();
    const { servers } = await names.ready('rs.a.6379');
    expect(servers.map(({ address, weight, health }) => [address, weight, health])).toEqual([
      ['10.0.0.1:6379', 20, 'passing'],
      ['10.0.0.2:6379', 16, 'passing'],
      ['10.0.0.3:6379', 1, 'critical'],
      ['10.0.0.4:6379', 0, 'passing'],
    ]);
    await put('/v1/agent/service/deregister/1', '');
    await until(() => names.resolve('rs.a.6379').servers.length === 3);
  });

  it('sees a Motan command as soon as it is written, and its end', async () => {
    await provide('rs.a', 8001);
    await provide('rs.b', 8001, {}, 'com.x.Z');
    const names = resolver(motanGroupMapping());
    expect(used(await names.ready('rs.a.8001'))).toEqual(['a:8001']);
    await put('/v1/kv/motan/command/motanrpc_rs.a', command({ mergeGroups: ['rs.b:1'] }));
    await until(() => used(names.resolve('rs.a.8001'))[0] === 'b:8001');
    await fetch(`${registry.url}/v1/kv/motan/command/motanrpc_rs.a`, { method: 'DELETE' });
    await until(() => used(names.resolve('rs.a.8001'))[0] === 'a:8001');
  });

  it('leaves out entries it cannot use', async () => {
    await put('/v1/agent/service/register', { ID: 'x', Name: 'rs', Address: 'bad host', Port: 6379 });
    await put('/v1/agent/service/register', { ID: 'y', Name: 'rs', Address: '10.0.0.1', Port: 6379 });
    expect((await resolver().ready('rs.a.6379')).servers).toHaveLength(1);
  });
});

describe('consulDatacenter', () => {
  it("is the agent's own, or unknown", async () => {
    const { signal } = new AbortController();
    expect(await consulDatacenter(consulSources({ addresses: [registry.url] }), signal)).toBe('a');
    expect(
      await consulDatacenter(consulSources({ addresses: ['http://127.0.0.1:1'] }), signal),
    ).toBeUndefined();
  });
});

describe('a Motan registry on Consul', () => {
  const consumer = parseMotanUrl('motan://127.0.0.1:0/com.x.Y?group=rs.a');

  it('finds the providers that can serve the consumer, with their URLs', async () => {
    await provide('rs.a', 8001, { application: 'my app' });
    await provide('rs.a', 8002, { version: '2.0' });
    await provide('rs.a', 8003, {}, 'com.x.Other');
    const { servers } = await motanRegistry().lookup(consumer);
    expect(servers.map(({ address }) => address)).toEqual(['127.0.0.1:8001']);
    expect(servers[0]!.motan!.parameters.get('application')).toBe('my app');
  });

  it('never mixes groups: one interface in two groups stays two lists', async () => {
    await provide('rs.a', 8001);
    await provide('rs.b', 8011);
    const groups = motanRegistry();
    const seen: Record<string, string[]> = {};
    for (const group of ['rs.a', 'rs.b'])
      groups.subscribe(parseMotanUrl(`motan://127.0.0.1:0/com.x.Y?group=${group}`), (resolution) => {
        seen[group] = used(resolution);
      });
    await until(() => seen['rs.a'] !== undefined && seen['rs.b'] !== undefined);
    await provide('rs.a', 8002);
    await until(() => seen['rs.a']!.length === 2);
    await provide('rs.b', 8012);
    await until(() => seen['rs.b']!.length === 2);
    expect(seen).toEqual({ 'rs.a': ['rs.a:8001', 'rs.a:8002'], 'rs.b': ['rs.b:8011', 'rs.b:8012'] });
  });

  it('obeys commands and mixGroups', async () => {
    await provide('rs.a', 8001);
    await provide('rs.b', 8011);
    await provide('rs.b', 8012);
    const groups = motanRegistry();
    let last: Resolution | undefined;
    groups.subscribe(consumer, (resolution) => (last = resolution));
    await until(() => last !== undefined && used(last).length === 1);
    await put('/v1/kv/motan/command/motanrpc_rs.a', command({ mergeGroups: ['rs.a:1', 'rs.b:3'] }));
    await until(() => used(last!).length === 3);
    expect(last!.idcs.map(({ idc, share }) => [idc, share])).toEqual([
      ['rs.a', 0.25],
      ['rs.b', 0.75],
    ]);
    await fetch(`${registry.url}/v1/kv/motan/command/motanrpc_rs.a`, { method: 'DELETE' });
    await until(() => used(last!).length === 1);
    const mixed = await groups.lookup(parseMotanUrl('motan://127.0.0.1:0/com.x.Y?group=rs.a&mixGroups=rs.b'));
    expect(used(mixed)).toEqual(['rs.a:8001', 'rs.b:8011', 'rs.b:8012']);
    expect(mixed.idcs[0]!.share).toBeCloseTo(1 / 3);
  });

  it('shows what a command would do to the providers of now', async () => {
    await provide('rs.a', 8001);
    await provide('rs.a', 8003, {}, 'com.x.Other');
    await provide('rs.b', 8011);
    const { providers } = consulSources({ addresses: [registry.url] });
    const text = command({ mergeGroups: ['rs.a:1', 'rs.b:3', 'gone:1'] });
    const input = { providers, command: text, path: 'com.x.Y', group: 'rs.a', localIp: '127.0.0.1' };
    const { groups, problems } = await previewLiveCommand(input);
    expect(
      groups.map(({ group, share, servers }) => [group, share, servers.map(({ port }) => port)]),
    ).toEqual([
      ['rs.a', 0.25, [8001]],
      ['rs.b', 0.75, [8011]],
      ['gone', 0, []],
    ]);
    expect(problems).toMatchObject([{ code: 'EMPTY_GROUP' }]);
  });

  it('takes out an interface that vanished from its group', async () => {
    await provide('rs.a', 8001);
    await provide('rs.a', 8003, {}, 'com.x.Other');
    const groups = createMotanRegistry({
      ...consulSources({ addresses: [registry.url], intervalMs: 20 }),
      hold: { emptyGraceMs: 50 },
    });
    open.push(groups);
    let last: Resolution | undefined;
    groups.subscribe(consumer, (resolution) => (last = resolution));
    await until(() => last?.servers.length === 1);
    await put('/v1/agent/service/deregister/127.0.0.1:8001-com.x.Y', '');
    await until(() => last!.state === 'held');
    await until(() => last!.servers.length === 0 && last!.state === 'live');
  });
});
