import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type RejectedEntry, UpsyncError } from '../../src/upstream/errors.ts';
import { createServer } from '../../src/upstream/server.ts';
import type { FollowerOptions } from '../../src/upsync/follower-contract.ts';
import { Follower } from '../../src/upsync/follower.ts';
import { NameBook } from '../../src/upsync/name-book.ts';
import { recordingLogger } from '../helpers/recording-logger.ts';

const servers = (...hosts: number[]) => hosts.map((host) => createServer(`10.0.0.${host}:80`));
const list = (...hosts: number[]) => ({
  servers: servers(...hosts),
  rejected: [],
  index: String(hosts.length),
});
const hosts = (follower: Follower) => follower.snapshot.servers.map((server) => server.address);
const down = new UpsyncError('SOURCE_UNREACHABLE', 'connect ECONNREFUSED');

let logger: ReturnType<typeof recordingLogger>;
let followers: Follower[];
function follow(options: Partial<FollowerOptions> = {}): Follower {
  const follower = new Follower({
    upstream: 'test',
    description: 'fake registry',
    method: 'round_robin',
    guard: { allowEmpty: false },
    initial: { servers: servers(1), origin: { kind: 'static', source: 'nginx.conf:3', at: 0 } },
    logger,
    ...options,
  });
  followers.push(follower);
  return follower;
}

beforeEach(() => {
  vi.useFakeTimers();
  logger = recordingLogger();
  followers = [];
});
afterEach(() => {
  for (const follower of followers) follower.close();
  vi.useRealTimers();
});

test('counts on from the version it is given, so that a target never sees one version twice', () => {
  const follower = follow({ firstVersion: 8 });
  follower.take(list(2));
  expect(follower.snapshot.version).toBe(9);
});

test('begins with the given list at once, and counts versions with each different list', () => {
  const follower = follow();
  expect(follower.emissions.value?.resolved).toMatchObject({ version: 1, servers: servers(1) });
  follower.take(list(1, 2));
  expect(follower.snapshot).toMatchObject({
    version: 2,
    servers: servers(2, 1),
    origin: { kind: 'registry', source: 'fake registry', index: '2' },
  });
  follower.take(list(2, 1));
  expect(follower.snapshot.version).toBe(2);
  follower.take(list(2));
  expect(follower.snapshot.version).toBe(3);
});

test('the first list of the registry is handed on even when it is the one there was', () => {
  const follower = follow();
  const before = follower.emissions.value;
  follower.take(list(1));
  expect(follower.emissions.value).not.toBe(before);
  expect(follower.snapshot).toMatchObject({ version: 1, origin: { kind: 'registry' } });
  expect(follower.status.ready).toBe(true);
});

describe('keeps the last good list', () => {
  test('when the registry cannot be asked, told once per outage', () => {
    const follower = follow();
    follower.take(list(1, 2));
    for (let i = 0; i < 5; i++) follower.fail(down);
    expect(hosts(follower)).toEqual(['10.0.0.2:80', '10.0.0.1:80']);
    expect(follower.status.lastError).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    expect(follower.status.errors).toBe(5);
    follower.contact('9');
    expect(follower.status).toMatchObject({ lastError: undefined, index: '9' });
    follower.fail(down);
    expect(logger.events().filter((event) => event === 'fetch_failed')).toHaveLength(2);
    expect(logger.events()).toContain('registry_answers_again');
  });

  test('when the list is empty, told once and not at each poll', () => {
    const follower = follow();
    follower.take(list(1, 2));
    for (let i = 0; i < 5; i++) follower.take(list());
    expect(follower.snapshot).toMatchObject({ version: 2, servers: servers(2, 1) });
    expect(follower.status.refused?.code).toBe('LIST_EMPTY');
    expect(logger.events().filter((event) => event === 'list_refused')).toHaveLength(1);
    follower.take(list(3));
    expect(follower.status.refused).toBeUndefined();
    follower.take(list());
    expect(logger.events().filter((event) => event === 'list_refused')).toHaveLength(2);
    expect(hosts(follower)).toEqual(['10.0.0.3:80']);
  });

  test('when the registry never answered, also a list of the configuration', () => {
    const follower = follow();
    follower.fail(down);
    follower.take(list());
    expect(follower.snapshot).toMatchObject({ version: 1, origin: { kind: 'static' } });
    expect(follower.status.ready).toBe(false);
  });
});

test('an empty list empties with allow_empty', () => {
  const follower = follow({ guard: { allowEmpty: true } });
  follower.take(list());
  expect(follower.emissions.value?.resolved).toMatchObject({ version: 2, servers: [] });
});

test('refused entries are told once, and again when there are others', () => {
  const follower = follow();
  const bad = (where: string): RejectedEntry => ({ where, code: 'BAD_ADDRESS', reason: 'bad' });
  follower.take({ ...list(1), rejected: [bad('a')] });
  follower.take({ ...list(1, 2), rejected: [bad('a')] });
  expect(logger.events().filter((event) => event === 'entries_rejected')).toHaveLength(1);
  follower.take({ ...list(1, 2), rejected: [bad('a'), bad('b')] });
  expect(logger.events().filter((event) => event === 'entries_rejected')).toHaveLength(2);
  expect(follower.status.rejected).toEqual([bad('a'), bad('b')]);
});

describe('a held mass removal', () => {
  const guard = { allowEmpty: false, minKeep: 0.5, holdMs: 10_000 };

  test('counts when it stood for its time', async () => {
    const follower = follow({ guard });
    follower.take(list(1, 2, 3, 4));
    follower.take(list(1, 9));
    expect(hosts(follower)).toEqual([
      '10.0.0.9:80',
      '10.0.0.4:80',
      '10.0.0.3:80',
      '10.0.0.2:80',
      '10.0.0.1:80',
    ]);
    await vi.advanceTimersByTimeAsync(9999);
    expect(hosts(follower)).toHaveLength(5);
    await vi.advanceTimersByTimeAsync(1);
    expect(hosts(follower)).toEqual(['10.0.0.9:80', '10.0.0.1:80']);
    expect(follower.status.refused).toBeUndefined();
  });

  test('does not count while the registry is silent, but when it answers again', async () => {
    const follower = follow({ guard });
    follower.take(list(1, 2, 3, 4));
    follower.take(list(1));
    follower.fail(down);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(hosts(follower)).toHaveLength(4);
    follower.contact();
    expect(hosts(follower)).toEqual(['10.0.0.1:80']);
  });

  test('is forgotten when the servers return', async () => {
    const follower = follow({ guard });
    follower.take(list(1, 2, 3, 4));
    follower.take(list(1));
    follower.take(list(1, 2, 3, 4));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(hosts(follower)).toHaveLength(4);
  });
});

describe('host names', () => {
  let zone: Record<string, string[]>;
  let names: NameBook;
  beforeEach(() => {
    zone = { 'a.test': ['10.1.0.1', '10.1.0.2'] };
    names = new NameBook({
      logger,
      resolve: async (host) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (!zone[host]) throw new Error(`queryA ENOTFOUND ${host}`);
        return { addresses: zone[host], ttlMs: 2000 };
      },
    });
  });
  afterEach(() => names.close());
  const resolved = (follower: Follower) =>
    follower.emissions.value?.resolved?.servers.map((server) => server.address);
  const named = (...addresses: string[]) => ({
    servers: addresses.map((address) => createServer(address)),
    rejected: [],
  });

  test('are kept as written for the dump and replaced for nginx, again when their time to live ends', async () => {
    const follower = follow({ names });
    follower.take(named('a.test:80'));
    expect(hosts(follower)).toEqual(['10.0.0.1:80']);
    await vi.advanceTimersByTimeAsync(10);
    expect(hosts(follower)).toEqual(['a.test:80']);
    expect(resolved(follower)).toEqual(['10.1.0.1:80', '10.1.0.2:80']);
    zone['a.test'] = ['10.1.0.3'];
    await vi.advanceTimersByTimeAsync(2010);
    expect(resolved(follower)).toEqual(['10.1.0.3:80']);
    expect(follower.snapshot).toMatchObject({ version: 3, servers: [createServer('a.test:80')] });
    delete zone['a.test'];
    await vi.advanceTimersByTimeAsync(60_000);
    expect(resolved(follower)).toEqual(['10.1.0.3:80']);
  });

  test('that do not resolve leave the old addresses to nginx', async () => {
    const follower = follow({ names });
    follower.take(named('none.test:80'));
    await vi.advanceTimersByTimeAsync(10);
    expect(follower.emissions.value?.resolved).toBeUndefined();
    expect(follower.status.unresolved).toEqual(['none.test']);
    expect(logger.events()).toContain('no_name_resolves');
    zone['none.test'] = ['10.1.0.9'];
    await vi.advanceTimersByTimeAsync(2000);
    expect(resolved(follower)).toEqual(['10.1.0.9:80']);
  });

  test('one that is slow holds its list up for a second at most, and the old list stays whole until then', async () => {
    let slow = () => {};
    const book = new NameBook({
      logger,
      resolve: (host) =>
        host === 'slow.test'
          ? new Promise((resolve) => (slow = () => resolve({ addresses: ['10.1.0.7'], ttlMs: 60_000 })))
          : Promise.resolve({ addresses: ['10.1.0.1'], ttlMs: 60_000 }),
    });
    const follower = follow({ names: book });
    follower.take(named('old.test:80'));
    await vi.advanceTimersByTimeAsync(1);
    follower.take(named('slow.test:80', 'quick.test:81'));
    await vi.advanceTimersByTimeAsync(999);
    expect(resolved(follower)).toEqual(['10.1.0.1:80']);
    await vi.advanceTimersByTimeAsync(1);
    expect(resolved(follower)).toEqual(['10.1.0.1:81']);
    slow();
    await vi.advanceTimersByTimeAsync(1);
    expect(resolved(follower)).toEqual(['10.1.0.1:81', '10.1.0.7:80']);
    book.close();
  });

  test('in the list to begin with are resolved as well', async () => {
    const follower = follow({
      names,
      initial: { servers: named('a.test:80').servers, origin: { kind: 'dump', source: 'x', at: 0 } },
    });
    await vi.advanceTimersByTimeAsync(10);
    expect(resolved(follower)).toEqual(['10.1.0.1:80', '10.1.0.2:80']);
    expect(follower.snapshot.origin.kind).toBe('dump');
  });
});
