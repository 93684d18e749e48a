import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Provider, ProviderList } from '../../src/motan/provider.ts';
import type { Resolution, Resolver } from '../../src/motan/resolution.ts';
import { createResolver, type ResolverOptions } from '../../src/motan/resolver.ts';
import { createTopology, motanGroupMapping, type TopologyOptions } from '../../src/motan/topology.ts';
import { createMotanUrl } from '../../src/motan/url.ts';
import { provider } from '../helpers/motan-providers.ts';
import { listOf, MemoryRegistry, queryKey, until } from '../helpers/motan-registry.ts';

const THREE: TopologyOptions = {
  local: 'a',
  idcs: [{ name: 'a' }, { name: 'b' }, { name: 'cloud', capacityFactor: 0.8 }],
};
const NAME = 'rs.a.6379';

let registry: MemoryRegistry<ProviderList>;
let commands: MemoryRegistry<string>;
let folder: string;
const open: Resolver[] = [];

beforeEach(async () => {
  registry = new MemoryRegistry();
  commands = new MemoryRegistry();
  folder = await mkdtemp(join(tmpdir(), 'upsync-motan-'));
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((resolver) => resolver.close()));
  await rm(folder, { recursive: true, force: true });
});

function start(options: Partial<ResolverOptions> = {}): Resolver {
  const resolver = createResolver({
    topology: createTopology(THREE),
    providers: (query) => registry.source(queryKey(query)),
    localIp: '10.0.0.1',
    settleMs: 100,
    ...options,
  });
  open.push(resolver);
  return resolver;
}

const servers = (from: number, count: number, given: Partial<Provider> = {}): Provider[] =>
  Array.from({ length: count }, (_, at) => provider(from + at, given));

function fill(): void {
  registry.set('local/rs', listOf(servers(100, 4)));
  registry.set('b/rs', listOf(servers(200, 4)));
  registry.set('cloud/rs', listOf(servers(300, 2, { weight: 20 })));
}

const shares = ({ idcs }: Resolution): Record<string, number> =>
  Object.fromEntries(idcs.map(({ idc, share }) => [idc, share]));
const codes = ({ reasons }: Resolution): string[] => reasons.map(({ code }) => code);

describe('resolve', () => {
  it('gives a ranked snapshot, best IDC first, weights times capacity', async () => {
    fill();
    const resolution = await start().ready(NAME);
    expect(resolution).toMatchObject({ name: NAME, state: 'live', reasons: [], staleSince: undefined });
    expect(shares(resolution)).toEqual({ a: 1, b: 0, cloud: 0 });
    expect(resolution.servers.map(({ idc }) => idc)).toEqual([...'aaaabbbb', 'cloud', 'cloud']);
    expect(resolution.servers[0]).toMatchObject({
      address: '10.0.0.100:6379',
      rank: 0,
      weight: 1,
      share: 0.25,
    });
    expect(resolution.servers.at(-1)).toMatchObject({ idc: 'cloud', rank: 2, weight: 16, share: 0 });
  });

  it('is frozen to the bottom', async () => {
    const motan = createMotanUrl('motan', '10.0.0.1', 6379, 'com.x.Y', { group: 'rs.a' });
    registry.set('local/rs', listOf([provider(1, { motan }), provider(2, { health: 'critical' })]));
    registry.fail('b/rs');
    const resolution = await start().ready(NAME);
    expect(resolution.reasons).not.toEqual([]);
    const loose = (value: unknown, path: string): string[] => {
      if (typeof value !== 'object' || value === null || value instanceof Map) return [];
      const inner = Object.entries(value).flatMap(([name, field]) => loose(field, `${path}.${name}`));
      return Object.isFrozen(value) ? inner : [path, ...inner];
    };
    expect(loose(resolution, 'resolution')).toEqual([]);
    const parameters = resolution.servers[0]!.motan!.parameters as Map<string, string>;
    expect(() => parameters.set('group', 'other')).toThrow('never changes');
    expect(() => parameters.clear()).toThrow('never changes');
  });

  it('is synchronous and gives the same frozen object until something changes', async () => {
    fill();
    const resolver = start();
    expect(resolver.resolve(NAME).state).toBe('pending');
    await resolver.ready(NAME);
    const first = resolver.resolve(NAME);
    expect(
      Object.isFrozen(first) && Object.isFrozen(first.servers) && Object.isFrozen(first.servers[0]),
    ).toBe(true);
    expect(resolver.resolve(NAME)).toBe(first);
    expect(resolver.resolve('RS.{idc}.6379')).toBe(first);
    registry.set('local/rs', listOf(servers(100, 4)));
    registry.set('b/rs', listOf(servers(200, 3)));
    await until(() => resolver.resolve(NAME) !== first);
    expect(resolver.resolve(NAME).version).toBe(first.version + 1);
  });

  it('keeps a server whose entry cannot be read any more as it was, says so, and lets those that left go', async () => {
    fill();
    registry.set('local/rs', listOf([provider(1), provider(2), provider(3)]));
    const resolver = start();
    await resolver.ready(NAME);
    const rejected = ['1', 'new'].map((where) => ({
      where,
      code: 'BAD_MOTAN_URL',
      reason: 'the tag is odd',
    }));
    registry.set('local/rs', { providers: [provider(2)], rejected, complete: true });
    await until(() => codes(resolver.resolve(NAME)).includes('ENTRIES_REJECTED'));
    const own = () => resolver.resolve(NAME).servers.filter(({ idc }) => idc === 'a');
    expect(own().map(({ host, share }) => [host, share])).toEqual([
      ['10.0.0.1', 0.5],
      ['10.0.0.2', 0.5],
    ]);
    expect(resolver.resolve(NAME)).toMatchObject({ state: 'held' });
    expect(resolver.resolve(NAME).reasons[0]!.text).toContain(
      'cannot be used: 2 (servers kept as they were read before: 1)',
    );
    registry.set('local/rs', { providers: [provider(2)], rejected: [rejected[1]!], complete: true });
    await until(() => own().length === 1);
    expect(resolver.resolve(NAME).state).toBe('live');
  });

  it('looks only at the port of the name', async () => {
    fill();
    registry.set('local/rs', listOf([provider(1), provider(2, { port: 6380 })]));
    const resolver = start();
    expect((await resolver.ready('rs.a.6380')).servers.map(({ address }) => address)).toEqual([
      '10.0.0.2:6380',
    ]);
    expect((await resolver.ready(NAME)).servers[0]!.address).toBe('10.0.0.1:6379');
    expect(registry.opened.get('local/rs')).toBe(1);
  });

  it.each([
    [100, 1, 0],
    [72, 1, 0],
    [71, 0.99, 0.01],
    [50, 0.7, 0.3],
    [25, 0.35, 0.65],
    [0, 0, 1],
  ])('spills gradually: %i %% healthy leave %d in the IDC and send %d away', async (healthy, own, next) => {
    fill();
    const health = (at: number) => (at < healthy ? 'passing' : 'critical');
    registry.set('local/rs', listOf(servers(1000, 100).map((one, at) => ({ ...one, health: health(at) }))));
    expect(shares(await start().ready(NAME))).toEqual({ a: own, b: next, cloud: 0 });
  });

  it('refuses bad names, unknown IDCs and too many names', () => {
    const resolver = start({ maxNames: 2 });
    expect(() => resolver.resolve('rs.a')).toThrow('three parts');
    expect(() => resolver.resolve('rs.z.6379')).toThrow('known are a, b, cloud');
    resolver.resolve('rs.a.1');
    resolver.resolve('rs.a.2');
    expect(() => resolver.resolve('rs.a.3')).toThrow('2 names are watched');
  });

  it('gives the place of a name that nobody used for a while to a new one, and leaves the used and subscribed ones', async () => {
    fill();
    const resolver = start({ maxNames: 3, lingerMs: 150 });
    resolver.subscribe('rs.b.6379', () => undefined);
    resolver.resolve('rs.a.1');
    // Until the first sweep all were used just now.
    await until(() => {
      resolver.resolve(NAME);
      try {
        return resolver.resolve('rs.a.2').state === 'pending';
      } catch {
        return false;
      }
    }, 'a place');
    expect(resolver.names()).toEqual(['rs.b.6379', NAME, 'rs.a.2']);
  });

  it('forgets a name that nobody holds, under every spelling', async () => {
    fill();
    const resolver = start();
    await resolver.ready('RS.a.6379');
    expect(resolver.forget('other.a.1')).toBe(false);
    const waiting = resolver.ready('unknown.a.1', { timeoutMs: 50 });
    expect(resolver.forget('unknown.a.1')).toBe(false);
    await expect(waiting).rejects.toMatchObject({ code: 'PENDING' });
    expect(resolver.forget('unknown.a.1')).toBe(true);
    expect(resolver.forget('rs.{idc}.6379')).toBe(true);
    expect(resolver.names()).toEqual([]);
    await until(() => registry.open === 0, 'the watches ending');
    expect(resolver.resolve('RS.a.6379').state).toBe('pending');
    expect((await resolver.ready('RS.a.6379')).state).toBe('live');
  });

  it('lets go of names that nobody uses, and stops their watches', async () => {
    fill();
    const resolver = start({ lingerMs: 30 });
    const subscription = resolver.subscribe('rs.b.6379', () => undefined);
    await resolver.ready(NAME);
    await until(() => resolver.names().length === 1, 'the unused name going');
    expect(resolver.names()).toEqual(['rs.b.6379']);
    subscription.unsubscribe();
    await until(() => resolver.names().length === 0 && registry.open === 0, 'the last watch ending');
  });
});

describe('ready', () => {
  it('rejects with what went wrong when nothing is known in time', async () => {
    registry.fail('local/rs');
    const resolver = start();
    await expect(resolver.ready(NAME, { timeoutMs: 30 })).rejects.toMatchObject({
      code: 'PENDING',
      message: expect.stringContaining('no answer for local/rs'),
    });
  });

  it('does not wait for one slow IDC for longer than settleMs', async () => {
    registry.set('local/rs', listOf(servers(1, 1)));
    expect((await start({ settleMs: 20 }).ready(NAME)).servers).toHaveLength(1);
  });

  it('may be waited for by many at once without a warning', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const resolver = start();
    const waits = Array.from({ length: 100 }, () => resolver.ready(NAME));
    fill();
    await Promise.all(waits);
    await new Promise((resolve) => setTimeout(resolve, 10));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  it('is ended by its signal and by closing', async () => {
    const resolver = start();
    const caller = new AbortController();
    const waiting = [resolver.ready(NAME, { signal: caller.signal }), resolver.ready('rs.b.6379')];
    caller.abort();
    await expect(waiting[0]).rejects.toMatchObject({ code: 'PENDING' });
    void resolver.close();
    await expect(waiting[1]).rejects.toMatchObject({ code: 'PENDING' });
    expect(() => resolver.resolve(NAME)).toThrow('closed');
  });
});

describe('subscribe', () => {
  it('tells the present answer and each change, and no listener can harm another', async () => {
    fill();
    const resolver = start();
    const seen: number[] = [];
    resolver.subscribe(NAME, () => {
      throw new Error('broken listener');
    });
    const subscription = resolver.subscribe(NAME, (resolution) => seen.push(resolution.servers.length));
    await until(() => seen.at(-1) === 10);
    registry.set('b/rs', listOf(servers(200, 1)));
    await until(() => seen.at(-1) === 7);
    subscription.unsubscribe();
    registry.set('b/rs', listOf(servers(200, 2)));
    await until(() => resolver.resolve(NAME).servers.length === 8);
    expect(seen.at(-1)).toBe(7);
  });

  it('can be iterated, a slow reader skipping to the newest', async () => {
    fill();
    const resolver = start();
    await resolver.ready(NAME);
    const ending = new AbortController();
    const seen: number[] = [];
    for await (const { servers: list } of resolver.changes(NAME, ending.signal)) {
      seen.push(list.length);
      if (seen.length === 1)
        for (let count = 1; count <= 50; count++) {
          registry.set('local/rs', listOf(servers(100, count)));
          await until(() => resolver.resolve(NAME).servers.length === count + 6);
        }
      if (list.length === 56) ending.abort();
    }
    expect(seen).toEqual([10, 56]);
  });
});

describe('what a registry says', () => {
  it('an error is not empty: the servers stay, the answer is stale', async () => {
    fill();
    const resolver = start();
    const before = await resolver.ready(NAME);
    registry.fail('local/rs');
    await until(() => resolver.resolve(NAME).state === 'stale');
    const after = resolver.resolve(NAME);
    expect(after.servers).toEqual(before.servers);
    expect(codes(after)).toContain('REGISTRY_ERROR');
    expect(after.staleSince).toBeGreaterThan(0);
    fill();
    await until(() => resolver.resolve(NAME).state === 'live');
  });

  it('empty is not an error: it is believed when it was confirmed', async () => {
    fill();
    const resolver = start({ hold: { emptyGraceMs: 60 } });
    await resolver.ready(NAME);
    registry.set('local/rs', listOf([]));
    await until(() => resolver.resolve(NAME).state === 'held');
    expect(shares(resolver.resolve(NAME))).toEqual({ a: 1, b: 0, cloud: 0 });
    expect(codes(resolver.resolve(NAME))).toContain('EMPTY_HELD');
    await until(() => resolver.resolve(NAME).idcs[0]!.servers === 0, 'the empty list being believed');
    expect(resolver.resolve(NAME).state).toBe('live');
    expect(shares(resolver.resolve(NAME))).toEqual({ a: 0, b: 1, cloud: 0 });
  });

  it('a name without servers is an answer, and no error', async () => {
    for (const key of ['local/rs', 'b/rs', 'cloud/rs']) registry.set(key, listOf([]));
    expect(await start().ready(NAME)).toMatchObject({ state: 'live', servers: [] });
  });

  it('a deregistered server is gone at once, however many they are', async () => {
    fill();
    const resolver = start();
    await resolver.ready(NAME);
    registry.set('local/rs', listOf(servers(103, 1)));
    await until(() => resolver.resolve(NAME).idcs[0]!.servers === 1);
    expect(resolver.resolve(NAME).state).toBe('live');
  });

  it('a server that a person withdrew counts as deregistered, not as failing', async () => {
    registry.set('b/rs', listOf([]));
    registry.set('cloud/rs', listOf([]));
    registry.set('local/rs', listOf(servers(1, 2)));
    const resolver = start();
    await resolver.ready(NAME);
    registry.set('local/rs', listOf([provider(1), provider(2, { health: 'critical', withdrawn: true })]));
    await until(() => resolver.resolve(NAME).servers.length === 1);
    expect(resolver.resolve(NAME)).toMatchObject({
      state: 'live',
      servers: [{ host: '10.0.0.1', share: 1 }],
    });
  });

  it('keeps 60 % in use when servers fail everywhere at once', async () => {
    registry.set('b/rs', listOf([]));
    registry.set('cloud/rs', listOf([]));
    registry.set('local/rs', listOf(servers(1, 10)));
    const resolver = start();
    await resolver.ready(NAME);
    registry.set('local/rs', listOf([...servers(1, 5), ...servers(6, 5, { health: 'critical' })]));
    await until(() => resolver.resolve(NAME).state === 'held');
    expect(resolver.resolve(NAME).servers.filter(({ share }) => share > 0)).toHaveLength(6);
    expect(codes(resolver.resolve(NAME))).toEqual(['REMOVAL_CAP']);
  });
});

describe('a registry that is silent', () => {
  it('may have gone with its data centre: servers that do not answer lose their traffic, and get it back', async () => {
    fill();
    const alive = new Set(['10.0.0.100']);
    const probe = async (host: string) => (alive.has(host) ? 1 : undefined);
    const resolver = start({ probing: { afterMs: 10, everyMs: 10, probe } });
    await resolver.ready(NAME);
    registry.fail('local/rs');
    await until(() => resolver.resolve(NAME).idcs[0]!.healthy === 1);
    expect(shares(resolver.resolve(NAME))).toEqual({ a: 0.35, b: 0.65, cloud: 0 });
    alive.clear();
    await until(() => resolver.resolve(NAME).idcs[0]!.share === 0);
    expect(resolver.resolve(NAME).servers.filter(({ idc }) => idc === 'a')).toHaveLength(4);
    fill();
    await until(() => resolver.resolve(NAME).state === 'live');
    expect(shares(resolver.resolve(NAME))).toEqual({ a: 1, b: 0, cloud: 0 });
  });

  it('keeps all its traffic while its servers answer', async () => {
    fill();
    let probes = 0;
    const resolver = start({ probing: { afterMs: 5, everyMs: 5, probe: async () => ++probes } });
    await resolver.ready(NAME);
    for (const key of ['local/rs', 'b/rs', 'cloud/rs']) registry.fail(key);
    await until(() => probes > 20);
    expect(shares(resolver.resolve(NAME))).toEqual({ a: 1, b: 0, cloud: 0 });
  });
});

describe('traffic plans', () => {
  it('set the shares of a resource, a name or all, the closest winning', async () => {
    fill();
    const resolver = start();
    await resolver.ready(NAME);
    resolver.plan('*', { weights: { b: 1 }, reason: 'all to b' });
    resolver.plan('rs', { weights: { a: 70, b: 20, cloud: 10 }, reason: 'evening peak' });
    await until(() => resolver.resolve(NAME).idcs[0]!.share === 0.7);
    expect(shares(resolver.resolve(NAME))).toEqual({ a: 0.7, b: 0.2, cloud: 0.1 });
    expect(resolver.resolve(NAME).reasons).toEqual([{ idc: 'a', code: 'PLAN', text: 'evening peak' }]);
    resolver.plan(NAME, { weights: { cloud: 1 }, reason: 'drill' });
    await until(() => resolver.resolve(NAME).idcs[2]!.share === 1);
    resolver.plan(NAME, undefined);
    resolver.plan('rs', undefined);
    await until(() => resolver.resolve(NAME).idcs[1]!.share === 1);
  });

  it('refuses a plan without weight or with an IDC nobody knows', () => {
    expect(() => start().plan('rs', { weights: { z: 1 }, reason: '' })).toThrow('no configured IDC');
    expect(() => start().plan('rs', { weights: { a: 0 }, reason: '' })).toThrow('above 0');
    expect(() => start().plan('rs', { weights: { a: -1 }, reason: '' })).toThrow('0 or more');
  });
});

describe('commands of Motan groups', () => {
  const motan = (): Resolver =>
    start({
      topology: createTopology({ ...THREE, mapping: motanGroupMapping() }),
      commands: ({ group }) => commands.source(group),
    });
  const command = (entry: object): string =>
    JSON.stringify({ clientCommandList: [{ pattern: 'rs.*', ...entry }] });

  beforeEach(() => {
    registry.set('local/motanrpc_rs.a', listOf(servers(100, 2)));
    registry.set('local/motanrpc_rs.b', listOf(servers(200, 2)));
    registry.set('local/motanrpc_rs.cloud', listOf(servers(300, 2)));
    commands.set('rs.a', '');
  });

  it('switch traffic between IDCs and back', async () => {
    const resolver = motan();
    expect(shares(await resolver.ready(NAME))).toEqual({ a: 1, b: 0, cloud: 0 });
    commands.set('rs.a', command({ mergeGroups: ['rs.a:1', 'rs.b:3'], remark: 'move to b' }));
    await until(() => resolver.resolve(NAME).idcs[0]!.share === 0.25);
    expect(shares(resolver.resolve(NAME))).toEqual({ a: 0.25, b: 0.75, cloud: 0 });
    expect(resolver.resolve(NAME).reasons[0]).toMatchObject({
      code: 'COMMAND',
      text: expect.stringContaining('move to b'),
    });
    commands.set('rs.a', '');
    await until(() => resolver.resolve(NAME).idcs[0]!.share === 1);
  });

  it('pool groups in mix mode, and follow groups outside the topology while they are named', async () => {
    registry.set('local/motanrpc_other', listOf(servers(400, 2)));
    commands.set('rs.a', command({ mergeGroups: ['rs.a', 'other'] }));
    const resolver = motan();
    await resolver.ready(NAME);
    await until(() => resolver.resolve(NAME).idcs[0]!.share === 0.5);
    expect(shares(resolver.resolve(NAME))).toEqual({ a: 0.5, b: 0, cloud: 0, other: 0.5 });
    commands.set('rs.a', '');
    await until(() => resolver.resolve(NAME).idcs.length === 3);
  });

  it('spill when a weighted group is empty, and say so when none can serve', async () => {
    registry.set('local/motanrpc_rs.b', listOf([]));
    commands.set('rs.a', command({ mergeGroups: ['rs.b:100'] }));
    const resolution = await motan().ready(NAME);
    expect(shares(resolution)).toEqual({ a: 1, b: 0, cloud: 0 });
    expect(codes(resolution)).toEqual(['COMMAND', 'PLAN_UNUSABLE']);
  });

  it('apply route rules, and ignore those that would leave nothing', async () => {
    commands.set('rs.a', command({ routeRules: ['10.0.0.1 to 10.0.0.101'] }));
    const resolver = motan();
    expect((await resolver.ready(NAME)).servers.map(({ host }) => host)).toEqual(['10.0.0.101']);
    commands.set('rs.a', command({ routeRules: ['* to 1.2.3.4'] }));
    await until(() => resolver.resolve(NAME).servers.length === 6);
    expect(codes(resolver.resolve(NAME))).toEqual(['ROUTE_RULES_EMPTY', 'COMMAND']);
  });

  it('report a bad command and go on without it', async () => {
    commands.set('rs.a', command({ pattern: 'a||b', mergeGroups: ['rs.b'] }));
    const resolution = await motan().ready(NAME);
    expect(shares(resolution)).toEqual({ a: 1, b: 0, cloud: 0 });
    expect(codes(resolution)).toEqual(['BAD_PATTERN']);
  });

  it('win over a traffic plan', async () => {
    commands.set('rs.a', command({ mergeGroups: ['rs.b:1'] }));
    const resolver = motan();
    resolver.plan('*', { weights: { cloud: 1 }, reason: 'plan' });
    expect(shares(await resolver.ready(NAME))).toEqual({ a: 0, b: 1, cloud: 0 });
  });
});

describe('snapshots on disk', () => {
  it('let a start with the registry down use the last servers, and say how old they are', async () => {
    fill();
    const before = start({ snapshotDir: folder, now: () => 1_700_000_000_000 });
    const known = await before.ready(NAME);
    await before.close();
    expect(await readdir(folder)).toEqual(['rs.a.6379.json']);
    expect((await stat(join(folder, 'rs.a.6379.json'))).mode & 0o777).toBe(0o600);
    for (const key of ['local/rs', 'b/rs', 'cloud/rs']) registry.fail(key);
    const after = start({ snapshotDir: folder });
    const stale = await after.ready(NAME);
    expect(stale).toMatchObject({ state: 'stale', staleSince: 1_700_000_000_000 });
    expect(stale.servers).toEqual(known.servers);
    expect(stale.reasons.find(({ code }) => code === 'SNAPSHOT')!.text).toContain('2023-11-14T22:13:20.000Z');
    fill();
    await until(() => after.resolve(NAME).state === 'live');
  });

  it('do not outlive what the registry says', async () => {
    fill();
    const before = start({ snapshotDir: folder });
    await before.ready(NAME);
    await before.close();
    registry.set('local/rs', listOf(servers(104, 1)));
    const resolution = await start({ snapshotDir: folder }).ready(NAME);
    expect(resolution.state).toBe('live');
    expect(resolution.servers.filter(({ idc }) => idc === 'a')).toHaveLength(1);
  });

  it('are ignored when they are damaged', async () => {
    fill();
    const before = start({ snapshotDir: folder });
    await before.ready(NAME);
    await before.close();
    const path = join(folder, 'rs.a.6379.json');
    await writeFile(path, (await readFile(path, 'utf8')).replace('"weight": 1', '"weight": 9'));
    for (const key of ['local/rs', 'b/rs', 'cloud/rs']) registry.fail(key);
    const damaged = start({ snapshotDir: folder }).ready(NAME, { timeoutMs: 150 });
    await expect(damaged).rejects.toMatchObject({ code: 'PENDING' });
    await expect(damaged).rejects.toThrow('does not match its signature');
  });

  it('keep traffic where a command switched it, over a start with the registry down', async () => {
    const groups = ['local/motanrpc_rs.a', 'local/motanrpc_rs.b', 'local/motanrpc_other'];
    groups.forEach((key, at) => registry.set(key, listOf(servers(100 * (at + 1), 2))));
    const mergeGroups = ['rs.b:3', 'other:1'];
    commands.set('rs.a', JSON.stringify({ clientCommandList: [{ pattern: '*', mergeGroups }] }));
    const options = {
      topology: createTopology({ ...THREE, mapping: motanGroupMapping() }),
      commands: ({ group }: { group: string }) => commands.source(group),
      snapshotDir: folder,
    };
    const before = start(options);
    await before.ready(NAME);
    await until(() => before.resolve(NAME).idcs.at(-1)!.share === 0.25);
    const known = before.resolve(NAME);
    expect(shares(known)).toEqual({ a: 0, b: 0.75, cloud: 0, other: 0.25 });
    await before.close();
    for (const key of [...groups, 'local/motanrpc_rs.cloud']) registry.fail(key);
    commands.fail('rs.a');
    const after = start(options);
    const stale = await after.ready(NAME);
    expect(stale.state).toBe('stale');
    expect([shares(stale), stale.servers]).toEqual([shares(known), known.servers]);
    // What the registry says then counts, also that there is no command any more.
    groups.forEach((key, at) => registry.set(key, listOf(servers(100 * (at + 1), 2))));
    commands.set('rs.a', '');
    await until(() => after.resolve(NAME).idcs[0]!.share === 1);
  });
});

describe('order by round trip', () => {
  it('measures, and puts the nearer IDC first among those that help out', async () => {
    fill();
    registry.set('local/rs', listOf(servers(100, 2, { health: 'critical' })));
    const times: Record<string, number> = { a: 1, b: 30, cloud: 5 };
    const measured: string[] = [];
    const resolver = start({
      topology: createTopology({ ...THREE, order: 'rtt' }),
      measureEveryMs: 10,
      measure: async ([first]) => {
        const idc = first!.host.startsWith('10.0.0.2') ? 'b' : 'cloud';
        measured.push(idc);
        return times[idc];
      },
    });
    await resolver.ready(NAME);
    await until(() => resolver.resolve(NAME).idcs[1]!.idc === 'cloud');
    expect(shares(resolver.resolve(NAME))).toMatchObject({ cloud: 1, b: 0 });
    expect(new Set(measured)).toEqual(new Set(['b', 'cloud']));
  });
});

describe('many servers', () => {
  it('joining and leaving in a storm leave every subscriber with the end state', async () => {
    fill();
    const resolver = start({ hold: { emptyGraceMs: 20 } });
    await resolver.ready(NAME);
    const last = new Array<number>(50).fill(-1);
    last.forEach((_, at) =>
      resolver.subscribe(NAME, (resolution) => (last[at] = resolution.idcs[0]!.servers)),
    );
    for (let count = 100; count <= 3000; count += 100) {
      registry.set('local/rs', listOf(servers(1000, count)));
      await until(() => resolver.resolve(NAME).idcs[0]!.servers === count);
    }
    await until(() => last.every((count) => count === 3000));
    for (let count = 2900; count >= 0; count -= 100) registry.set('local/rs', listOf(servers(1000, count)));
    await until(() => last.every((count) => count === 0), 'the end state everywhere');
  });
});
