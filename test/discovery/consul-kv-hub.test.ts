import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { groupKvUpstreams } from '../../src/discovery/kv-groups.ts';
import { openSources } from '../../src/discovery/open.ts';
import { PrefixIndex } from '../../src/discovery/prefix-index.ts';
import type { SourceOptions } from '../../src/discovery/source.ts';
import { FakeConsul } from '../helpers/fake-consul.ts';
import { ListReader, summary } from '../helpers/reading-lists.ts';
import { sourceOptions } from '../helpers/source-options.ts';

const kv = (path: string, more: Partial<SourceOptions> = {}) =>
  sourceOptions({ type: 'consul', path, addresses: ['http://127.0.0.1:8500'], ...more });

describe('groupKvUpstreams', () => {
  const paths = (all: readonly SourceOptions[]) =>
    groupKvUpstreams(all).map(({ members, shared }) => `${members.length} ${shared.path}`);

  it('puts upstreams of one folder together, under the longest prefix they share', () => {
    expect(paths([kv('/v1/kv/ups/a/'), kv('/v1/kv/ups/b'), kv('/v1/kv/ups/b/c/')])).toEqual([
      '2 /v1/kv/ups/',
      '1 /v1/kv/ups/b/c/',
    ]);
    expect(paths([kv('/v1/kv/ups/web-a/'), kv('/v1/kv/ups/web-b/')])).toEqual(['2 /v1/kv/ups/web-']);
    expect(paths([kv('/v1/kv/%C3%A4/%F0%9F%98%80/'), kv('/v1/kv/%C3%A4/%F0%9F%98%81/')])).toEqual([
      '2 /v1/kv/%C3%A4/',
    ]);
    expect(paths([kv('/proxy/v1/kv/ups/a/'), kv('/proxy/v1/kv/ups/b/')])).toEqual(['2 /proxy/v1/kv/ups/']);
  });

  it('leaves alone what lies at the top of the store or asks differently', () => {
    expect(paths([kv('/v1/kv/a/'), kv('/v1/kv/b/')])).toHaveLength(2);
    const base = kv('/v1/kv/ups/a/');
    for (const other of [
      { dc: 'east' },
      { token: 'x' },
      { tokenFile: '/x' },
      { consistency: 'stale' },
      { tls: { ca: '/x' } },
      { addresses: ['http://127.0.0.2:8500'] },
      { path: '/v1/kv/ups/b/?ns=x' },
      { path: '/v1/kv/ups/b/?token=x' },
    ] as const)
      expect(paths([base, kv('/v1/kv/ups/b/', other)])).toHaveLength(2);
  });

  it('polls as often as the most eager member asks for, with a token typed into a path', () => {
    const [group] = groupKvUpstreams([
      kv('/v1/kv/ups/a/?token=x', { intervalMs: 500 }),
      kv('/v1/kv/ups/b/', { timeoutMs: 1000, token: 'x' }),
    ]);
    expect(group!.shared).toMatchObject({
      intervalMs: 500,
      timeoutMs: 1000,
      token: 'x',
      path: '/v1/kv/ups/',
    });
  });
});

describe('PrefixIndex', () => {
  it('finds every prefix of a key', () => {
    const prefixes = ['a/', 'a/b/', 'a/b', 'a/bc', 'x', ''];
    const index = new PrefixIndex(prefixes.map((prefix) => [prefix, prefix]));
    for (const key of ['a/b/10.0.0.1:80', 'a/bc', 'a/bcd/1', 'a', 'x/', 'y', ''])
      expect([...index.matching(key)].sort()).toEqual(
        prefixes.filter((prefix) => key.startsWith(prefix)).sort(),
      );
  });
});

describe('Consul KV upstreams under one prefix', () => {
  let consul: FakeConsul;
  let readers: ListReader[] = [];
  beforeEach(async () => {
    consul = await FakeConsul.start();
  });
  afterEach(async () => {
    await Promise.all(readers.map((reader) => reader.stop().catch(() => false)));
    readers = [];
    await consul.stop();
  });
  const open = (...paths: string[]): ListReader[] => {
    readers = openSources(paths.map((path) => kv(path, { addresses: [consul.url] }))).map(
      (source) => new ListReader(source),
    );
    return readers;
  };

  it('share one long poll, and only those whose part changed are told', async () => {
    consul.put({ 'ups/a/10.0.0.1:80': null, 'ups/b/10.0.0.2:80': null, 'ups/b2/10.0.0.3:80': null });
    const [a, b, none] = open('/v1/kv/ups/a/', '/v1/kv/ups/b', '/v1/kv/ups/none/');
    expect(summary(await a!.next())).toEqual(['10.0.0.1:80']);
    expect(summary(await b!.next())).toEqual(['10.0.0.2:80', '10.0.0.3:80']);
    expect(summary(await none!.next())).toEqual([]);
    const quiet = b!.isQuiet(80);
    const next = a!.next();
    await expect.poll(() => consul.blocked).toBe(1);
    consul.put({ 'ups/a/10.0.0.1:80': { weight: 2 } });
    expect(summary(await next)).toEqual(['10.0.0.1:80*2']);
    expect(await quiet).toBe(true);
    expect(consul.requests.map((request) => request.path)).toEqual(consul.requests.map(() => '/v1/kv/ups/'));
    expect(consul.connections).toBe(1);
  });

  it('get what they missed while they were busy, as one list', async () => {
    consul.put({ 'ups/a/10.0.0.1:80': null });
    const [a, b] = open('/v1/kv/ups/a/', '/v1/kv/ups/b/');
    await a!.next();
    await b!.next();
    const bell = b!.next();
    for (const weight of [2, 3, 4]) consul.put({ 'ups/a/10.0.0.1:80': { weight } });
    consul.put({ 'ups/b/10.0.0.9:80': null });
    await bell;
    expect(summary(await a!.next())).toEqual(['10.0.0.1:80*4']);
    expect(await a!.isQuiet(30)).toBe(true);
  });

  it('are all told when the poll fails, and come back with one request', async () => {
    consul.put({ 'ups/a/10.0.0.1:80': null });
    const [a, b] = open('/v1/kv/ups/a/', '/v1/kv/ups/b/');
    await a!.next();
    await b!.next();
    const failures = [a!.next(), b!.next()].map((list) => list.catch((error: unknown) => error));
    await expect.poll(() => consul.blocked).toBe(1);
    consul.fault = (_request, response) => {
      response.statusCode = 500;
      response.end('no leader');
      return true;
    };
    consul.dropConnections();
    for (const failure of failures) expect(await failure).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    consul.fault = undefined;
    const before = consul.requests.length;
    const again = openAgain([a!, b!]);
    for (const list of await Promise.all(again)) expect(list.index).toBe('11');
    expect(consul.requests.length - before).toBeLessThanOrEqual(2);
  });

  it('stop asking when nobody listens any more, and start again for the next who does', async () => {
    consul.put({ 'ups/a/10.0.0.1:80': null });
    const sources = openSources(
      ['/v1/kv/ups/a/', '/v1/kv/ups/b/'].map((path) => kv(path, { addresses: [consul.url] })),
    );
    const first = new ListReader(sources[0]!);
    await first.next();
    await expect.poll(() => consul.blocked).toBe(1);
    expect(await first.stop()).toBe(true);
    await expect.poll(() => consul.blocked).toBe(0);
    consul.put({ 'ups/a/10.0.0.1:80': { weight: 6 } });
    const second = new ListReader(sources[0]!);
    readers.push(second);
    expect(summary(await second.next())).toEqual(['10.0.0.1:80*6']);
  });

  it('cost one connection for a thousand upstreams, and no warning', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const names = Array.from({ length: 1000 }, (_, at) => `u${at}`);
    consul.put(
      Object.fromEntries(names.map((name, at) => [`ups/${name}/10.0.${at >> 8}.${at & 255}:80`, null])),
    );
    const abort = new AbortController();
    const sources = openSources(names.map((name) => kv(`/v1/kv/ups/${name}/`, { addresses: [consul.url] })));
    const lists = sources.map((source) => source.lists(abort.signal)[Symbol.asyncIterator]());
    const first = await Promise.all(lists.map((list) => list.next()));
    expect(first.every((list) => list.done === false && list.value.servers.length === 1)).toBe(true);
    const ends = lists.map((list) => list.next());
    await expect.poll(() => consul.blocked).toBe(1);
    expect(consul.connections).toBe(1);
    abort.abort();
    for (const end of await Promise.all(ends)) expect(end.done).toBe(true);
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  function openAgain(stale: ListReader[]) {
    readers = readers.filter((reader) => !stale.includes(reader));
    // A source that threw is read anew, as watch() does; the hub behind both is the same.
    return stale.map((reader) => {
      const fresh = new ListReader(reader.source);
      readers.push(fresh);
      return fresh.next();
    });
  }
});
