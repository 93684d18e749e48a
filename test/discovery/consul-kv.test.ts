import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSource } from '../../src/discovery/open.ts';
import type { SourceOptions } from '../../src/discovery/source.ts';
import { FakeConsul } from '../helpers/fake-consul.ts';
import { ListReader, summary } from '../helpers/reading-lists.ts';
import { sourceOptions } from '../helpers/source-options.ts';

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

function read(options: Partial<SourceOptions> = {}): ListReader {
  const path = '/v1/kv/upstreams/test/';
  const all = sourceOptions({ type: 'consul', path, addresses: [consul.url], ...options });
  const reader = new ListReader(openSource(all));
  readers.push(reader);
  return reader;
}

describe('the Consul KV source', () => {
  it('asks without an index first, then with the index and a wait below the timeout', async () => {
    consul.put({ 'upstreams/test/10.0.0.1:80': null });
    const reader = read({ timeoutMs: 60_000 });
    expect(await reader.next()).toMatchObject({ index: '11' });
    expect(await reader.isQuiet(50)).toBe(true);
    expect(consul.requests.map((request) => request.url)).toEqual([
      '/v1/kv/upstreams/test/?recurse',
      '/v1/kv/upstreams/test/?recurse&index=11&wait=51764ms',
    ]);
    consul.put({ 'upstreams/test/10.0.0.1:80': { weight: 4 } });
    expect(summary(await reader.next())).toEqual(['10.0.0.1:80*4']);
  });

  it('reads addresses and values by the rules of nginx-upsync-module, and beyond them', async () => {
    consul.put({
      'upstreams/test/': null,
      'upstreams/test/010.0.0.21:80': null,
      'upstreams/test/10.0.0.22:080': '',
      'upstreams/test/a/b/10.0.0.3:80': { weight: '7', down: true },
      'upstreams/test/[2001:db8::1]:80': { backup: 1 },
      'upstreams/test/app.example:8080': '{"weight":2} and more',
      'upstreams/test/unix:/run/app.sock': { weight: 3 },
      'upstreams/test/10.0.0.4:80': 'not json',
      'upstreams/test/10.0.0.5': null,
      'upstreams/test/10.0.0.6:0': null,
      'upstreams/test/255.255.255.255:80': null,
      'upstreams/test/::1:80': null,
      'upstreams/test/b/010.0.0.21:80': { weight: 9 },
    });
    const list = await read().next();
    expect(summary(list)).toEqual([
      '010.0.0.21:80',
      '10.0.0.22:080',
      '10.0.0.4:80',
      '[2001:db8::1]:80 backup',
      '10.0.0.3:80*7 down',
      'app.example:8080*2',
      'unix:/run/app.sock*3',
    ]);
    expect(list.rejected.map(({ where, code }) => `${where} ${code}`)).toEqual([
      'upstreams/test/10.0.0.4:80 BAD_JSON',
      'upstreams/test/10.0.0.5 BAD_ADDRESS',
      'upstreams/test/10.0.0.6:0 BAD_ADDRESS',
      'upstreams/test/255.255.255.255:80 BAD_ADDRESS',
      'upstreams/test/::1:80 BAD_ADDRESS',
      'upstreams/test/b/010.0.0.21:80 DUPLICATE_ADDRESS',
    ]);
  });

  it('matches prefixes as Consul does, neighbours of a path without a slash included', async () => {
    consul.put({ 'upstreams/test/10.0.0.1:80': null, 'upstreams/test2/10.0.0.2:80': null });
    expect(summary(await read({ path: '/v1/kv/upstreams/test' }).next())).toHaveLength(2);
    expect(summary(await read().next())).toEqual(['10.0.0.1:80']);
  });

  it('says that the list is empty when no key is left, and goes on waiting', async () => {
    consul.put({ 'upstreams/test/10.0.0.1:80': null });
    const reader = read();
    await reader.next();
    consul.put({ 'upstreams/test/10.0.0.1:80': undefined });
    expect(await reader.next()).toMatchObject({ servers: [], index: '12' });
    consul.put({ 'upstreams/test/10.0.0.9:80': null });
    expect(summary(await reader.next())).toEqual(['10.0.0.9:80']);
  });

  it('adds what the options ask for and keeps what was typed, but never sends a token in a URL', async () => {
    consul.put({ 'upstreams/test/10.0.0.1:80': null });
    const path = '/v1/kv/upstreams/test/?recurse&token=s%20ecret&ns=a&index=7&wait=1s';
    const reader = read({ path, dc: 'east 1', consistency: 'stale' });
    await reader.next();
    expect(await reader.isQuiet(30)).toBe(true);
    expect(consul.requests[0]!.url).toBe('/v1/kv/upstreams/test/?recurse&ns=a&dc=east%201&stale');
    for (const request of consul.requests) {
      expect(request.headers['x-consul-token']).toBe('s ecret');
      expect(request.url).not.toContain('ecret');
    }
  });

  it('does not read an index as a number, which would round it', async () => {
    consul.index = 18_446_744_073_709_551_613n;
    consul.put({ 'upstreams/test/10.0.0.1:80': null });
    const reader = read();
    expect(await reader.next()).toMatchObject({ index: '18446744073709551614' });
    expect(await reader.isQuiet(30)).toBe(true);
    expect(consul.requests[1]!.query.get('index')).toBe('18446744073709551614');
  });

  it('commits the index only when the next list is asked for', async () => {
    consul.put({ 'upstreams/test/10.0.0.1:80': null });
    const reader = read();
    await reader.next();
    consul.put({ 'upstreams/test/10.0.0.2:80': null });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(consul.requests).toHaveLength(1);
    expect(summary(await reader.next())).toHaveLength(2);
  });

  it('starts from index 0 again when the index goes backwards', async () => {
    consul.put({ 'upstreams/test/10.0.0.1:80': null });
    const reader = read();
    await reader.next();
    expect(await reader.isQuiet(30)).toBe(true);
    consul.kv.set('upstreams/test/10.0.0.2:80', '');
    consul.bump(3n);
    expect(summary(await reader.next())).toHaveLength(2);
    expect(await reader.isQuiet(50)).toBe(true);
    expect(consul.requests.map((request) => request.query.get('index'))).toEqual([null, '11', null, '3']);
  });

  it('takes an index of 0 as 1, so that the next poll blocks', async () => {
    consul.fault = (request, response) => {
      if (request.query.has('index')) return false;
      response.setHeader('X-Consul-Index', '0');
      response.end('[]');
      return true;
    };
    consul.index = 1n;
    const reader = read();
    expect(await reader.next()).toMatchObject({ servers: [], index: '1' });
    expect(await reader.isQuiet(40)).toBe(true);
    expect(consul.requests[1]!.query.get('index')).toBe('1');
  });

  it('does not repeat a list when only the index moved', async () => {
    consul.put({ 'upstreams/test/10.0.0.1:80': null });
    const reader = read();
    await reader.next();
    consul.bump();
    consul.bump();
    expect(await reader.isQuiet(60)).toBe(true);
    expect(consul.requests.at(-1)!.query.get('index')).toBe('13');
  });

  it('refuses options that only services know', () => {
    for (const options of [
      { tags: ['a'] },
      { filter: 'x' },
      { passing: true },
      { cached: true },
      { useWeights: true },
    ])
      expect(() =>
        openSource(sourceOptions({ type: 'consul', path: '/v1/kv/a/', addresses: [consul.url], ...options })),
      ).toThrow(expect.objectContaining({ code: 'SOURCE_BAD_OPTIONS' }) as Error);
  });

  it.each(['upstreams/test', '/v1/kv/a b', '/v1/kv/a#b', '/v1/kv/ä'])('refuses the path %s', (path) => {
    expect(() => openSource(sourceOptions({ type: 'consul', path, addresses: [consul.url] }))).toThrow(
      expect.objectContaining({ code: 'SOURCE_BAD_OPTIONS' }) as Error,
    );
  });
});
