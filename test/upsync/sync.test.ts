import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SourceError } from '../../src/discovery/source-error.ts';
import { createServer } from '../../src/upstream/server.ts';
import { createSync, type Sync, type SyncOptions } from '../../src/upsync/sync.ts';
import { MemoryTarget } from '../../src/upsync/targets/memory.ts';
import type { UpstreamPlan } from '../../src/upsync/upstream-plan.ts';
import { FakeSource } from '../helpers/fake-source.ts';
import { FakeNginx } from '../helpers/fake-target.ts';
import { recordingLogger } from '../helpers/recording-logger.ts';

const servers = (...hosts: number[]) => hosts.map((host) => createServer(`10.0.0.${host}:80`));
const until = <T>(what: () => T) => vi.waitFor(what, { timeout: 3000, interval: 5 });

let folder: string;
let logger: ReturnType<typeof recordingLogger>;
let registry: Map<string, FakeSource>;
let nginx: FakeNginx;
let memory: MemoryTarget;
const open: Sync[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upsync-sync-'));
  logger = recordingLogger();
  registry = new Map();
  nginx = new FakeNginx();
  memory = new MemoryTarget();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((sync) => sync.close()));
  await rm(folder, { recursive: true, force: true });
});

const plan = (name: string, changes: Partial<UpstreamPlan> = {}): UpstreamPlan => ({
  name,
  source: {
    type: 'consul',
    addresses: ['http://fake'],
    path: `/v1/kv/${name}/`,
    intervalMs: 5000,
    timeoutMs: 60_000,
  },
  strongDependency: false,
  allowEmpty: false,
  dumpPath: join(folder, `${name}.conf`),
  balancer: { method: 'round_robin', seed: 0, loadFactor: 1.25 },
  initial: servers(1),
  where: 'nginx.conf:3',
  ...changes,
});
const source = (path: string): FakeSource => {
  const known = registry.get(path) ?? new FakeSource(`fake ${path}`);
  registry.set(path, known);
  return known;
};
async function run(plans: UpstreamPlan[], options: Partial<SyncOptions> = {}): Promise<Sync> {
  const sync = createSync({
    plans,
    targets: [memory],
    nginxTargets: [nginx],
    openSources: (all) => all.map(({ path }) => source(path)),
    random: () => 0.1,
    logger,
    ...options,
  });
  open.push(sync);
  await sync.start();
  return sync;
}
const dumpOf = (name: string) => readFile(join(folder, `${name}.conf`), 'utf8');

describe('from registry to target', () => {
  test('a change reaches every target and the dump, and is told', async () => {
    const sync = await run([plan('a')]);
    const changes = sync.changes()[Symbol.asyncIterator]();
    source('/v1/kv/a/').set(servers(1, 2));
    expect(await sync.ready('a')).toMatchObject({ version: 2, servers: servers(2, 1) });
    await until(() => expect(nginx.lists.get('a')).toMatchObject({ version: 2, servers: servers(2, 1) }));
    await until(() => expect(memory.get('a')?.version).toBe(2));
    await until(async () =>
      expect(await dumpOf('a')).toBe(
        'server 10.0.0.2:80 weight=1 max_fails=2 fail_timeout=10s;\n' +
          'server 10.0.0.1:80 weight=1 max_fails=2 fail_timeout=10s;\n',
      ),
    );
    expect((await changes.next()).value).toMatchObject({ upstream: 'a' });
    await until(() => expect(sync.status()[0]?.targets[2]?.delivered).toBe(2));
    expect(sync.status()).toMatchObject([
      {
        name: 'a',
        source: 'fake /v1/kv/a/',
        where: 'nginx.conf:3',
        version: 2,
        index: '1',
        ready: true,
        ageMs: 0,
        origin: { kind: 'registry', index: '1' },
        targets: [
          {
            target: 'fake target',
            wanted: 2,
            delivered: 2,
            workers: [
              { pid: 11, version: 2 },
              { pid: 12, version: 2 },
            ],
          },
          { target: 'this process', delivered: 2 },
          { target: 'dump files', delivered: 2 },
        ],
      },
    ]);
  });

  test('many upstreams that change at once take few calls', async () => {
    const names = Array.from({ length: 300 }, (_, at) => `u${at}`);
    await run(names.map((name) => plan(name)));
    for (const name of names) source(`/v1/kv/${name}/`).set(servers(7));
    await until(() => expect(nginx.lists.size).toBe(300));
    expect(nginx.calls.length).toBeLessThan(10);
  });
});

describe('at the start', () => {
  test('the dump is the list, for those who have none yet; nginx has it already', async () => {
    await writeFile(
      join(folder, 'a.conf'),
      'server 10.0.0.5:80 weight=3 max_fails=2 fail_timeout=10s;\nrubbish;\n',
    );
    const sync = await run([plan('a')]);
    await until(() => expect(memory.get('a')?.servers).toEqual([createServer('10.0.0.5:80', { weight: 3 })]));
    expect(sync.status()[0]).toMatchObject({ ready: false, origin: { kind: 'dump' }, version: 1 });
    expect(logger.events()).toContain('dump_rejected');
    expect(nginx.calls).toEqual([]);
  });

  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['garbage', '\u0000\u0001{"a":1}'],
  ])('the lines of the configuration are it when the dump is %s', async (_title, text) => {
    if (text !== undefined) await writeFile(join(folder, 'a.conf'), text);
    const sync = await run([plan('a')]);
    await until(() => expect(memory.get('a')?.servers).toEqual(servers(1)));
    expect(sync.status()[0]).toMatchObject({
      ready: false,
      origin: { kind: 'static', source: 'nginx.conf:3' },
    });
  });

  test('a registry that is down changes nothing and delays nothing', async () => {
    source('/v1/kv/a/').fail(new SourceError('SOURCE_UNREACHABLE', 'connect ECONNREFUSED'));
    const sync = await run([plan('a'), plan('b')]);
    source('/v1/kv/b/').set(servers(2));
    await sync.ready('b');
    await until(() => expect(sync.status()[0]?.lastError?.code).toBe('SOURCE_UNREACHABLE'));
    await until(() => expect(memory.get('a')?.servers).toEqual(servers(1)));
    expect(nginx.lists.has('a')).toBe(false);
    expect(sync.status()[0]!.ageMs).toBeGreaterThanOrEqual(0);
    source('/v1/kv/a/').set(servers(4));
    expect(await sync.ready('a')).toMatchObject({ servers: servers(4) });
    expect(sync.status()[0]).toMatchObject({ lastError: undefined, ageMs: 0 });
  });

  test('a source that cannot be opened leaves the others theirs', async () => {
    const sync = await run([plan('bad'), plan('b')], {
      openSources: (all) =>
        all.map(({ path }) => {
          if (path.includes('bad')) throw new SourceError('SOURCE_BAD_OPTIONS', 'no such thing');
          return source(path);
        }),
    });
    source('/v1/kv/b/').set(servers(2));
    await sync.ready('b');
    await until(() => expect(sync.status()[0]?.lastError?.code).toBe('SOURCE_BAD_OPTIONS'));
  });

  test('host names of the first list do reach nginx, as addresses', async () => {
    const resolveName = async () => ({ addresses: ['10.1.0.1'], ttlMs: 60_000 });
    await run([plan('a', { initial: [createServer('app.test:80')] })], { resolveName });
    await until(() => expect(nginx.lists.get('a')?.servers).toEqual([createServer('10.1.0.1:80')]));
    expect(memory.get('a')?.servers).toEqual([createServer('app.test:80')]);
  });
});

describe('keeps the last good list', () => {
  test('in every target through failures, empty lists and garbage', async () => {
    const sync = await run([plan('a')]);
    source('/v1/kv/a/').set(servers(1, 2));
    await sync.ready('a');
    await until(() => expect(nginx.lists.get('a')?.version).toBe(2));
    source('/v1/kv/a/').set([]);
    source('/v1/kv/a/').set([], [{ where: 'k', code: 'BAD_ADDRESS', reason: 'bad' }]);
    await until(() => expect(sync.status()[0]?.refused?.code).toBe('LIST_ALL_REJECTED'));
    source('/v1/kv/a/').fail(new SourceError('SOURCE_STATUS', 'answered 500'));
    await until(() => expect(sync.status()[0]?.lastError?.code).toBe('SOURCE_STATUS'));
    expect(nginx.lists.get('a')?.servers).toEqual(servers(2, 1));
    await until(async () => expect(await dumpOf('a')).toContain('10.0.0.2:80'));
    source('/v1/kv/a/').set(servers(3));
    await until(() => expect(nginx.lists.get('a')?.servers).toEqual(servers(3)));
  });

  test('in the dump when its folder cannot be written, and writes it once it can', async () => {
    const place = join(folder, 'later');
    const sync = await run([plan('a', { dumpPath: join(place, 'a.conf') })]);
    source('/v1/kv/a/').set(servers(2));
    await until(() => expect(sync.status()[0]?.targets[2]?.error).toMatch(/does not exist/));
    expect(nginx.lists.get('a')?.servers).toEqual(servers(2));
    expect(logger.lines.filter((line) => line.event === 'apply_failed')).toHaveLength(1);
    await mkdir(place);
    await until(async () => expect(await readFile(join(place, 'a.conf'), 'utf8')).toContain('10.0.0.2:80'));
    await until(() => expect(sync.status()[0]?.targets[2]?.error).toBeUndefined());
  });

  test('a dump on a full device is an error and no more', async () => {
    const sync = await run([plan('a', { dumpPath: '/dev/full' })]);
    source('/v1/kv/a/').set(servers(2));
    await until(() => expect(sync.status()[0]?.targets[2]?.error).toMatch(/\/dev\/full/));
    expect(nginx.lists.get('a')?.servers).toEqual(servers(2));
  });
});

describe('an update of the plans', () => {
  test('leaves upstreams alone whose plan is the same, ends removed ones, starts new ones', async () => {
    const sync = await run([plan('a'), plan('b')]);
    source('/v1/kv/a/').set(servers(2));
    await sync.ready('a');
    await sync.update([plan('a', { where: 'nginx.conf:9' }), plan('c')]);
    expect(source('/v1/kv/a/')).toMatchObject({ opened: 1, open: 1 });
    expect(source('/v1/kv/b/').open).toBe(0);
    source('/v1/kv/c/').set(servers(5));
    await sync.ready('c');
    expect(sync.status().map((status) => [status.name, status.where, status.version])).toEqual([
      ['a', 'nginx.conf:9', 2],
      ['c', 'nginx.conf:3', 2],
    ]);
  });

  test('starts a changed upstream again from its dump, with versions that go on', async () => {
    const sync = await run([plan('a')]);
    source('/v1/kv/a/').set(servers(2));
    await until(async () => expect(await dumpOf('a')).toContain('10.0.0.2'));
    const moved = plan('a', { source: { ...plan('a').source, path: '/v1/kv/other/' } });
    await sync.update([moved]);
    expect(sync.status()[0]).toMatchObject({ version: 3, origin: { kind: 'dump' }, servers: servers(2) });
    source('/v1/kv/other/').set(servers(8));
    await until(() => expect(nginx.lists.get('a')).toMatchObject({ version: 4, servers: servers(8) }));
  });
});

test('nginx gets its lists back after it was restarted behind our back', async () => {
  const sync = await run([plan('a')]);
  source('/v1/kv/a/').set(servers(2));
  await until(() => expect(nginx.lists.get('a')?.version).toBe(2));
  nginx.restart();
  await until(() => expect(nginx.lists.get('a')?.servers).toEqual(servers(2)));
  expect(sync.status()[0]?.targets[0]?.delivered).toBe(2);
});

test('close ends every reader and watcher, writes the last dump, and closes the targets', async () => {
  const sync = await run([plan('a')]);
  const changes = sync.changes()[Symbol.asyncIterator]();
  source('/v1/kv/a/').set(servers(2));
  await sync.ready('a');
  await sync.close(1000);
  expect(await dumpOf('a')).toContain('10.0.0.2:80');
  expect(nginx.closed).toBe(true);
  expect(source('/v1/kv/a/').open).toBe(0);
  for (let next = await changes.next(); !next.done; next = await changes.next())
    expect(next.value.upstream).toBe('a');
  await expect(sync.ready('a')).rejects.toMatchObject({ code: 'UNKNOWN_UPSTREAM' });
});
