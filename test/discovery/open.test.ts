import { describe, expect, it } from 'vitest';
import { openSource, openSources } from '../../src/discovery/open.ts';
import type { SourceOptions, SourceType } from '../../src/discovery/source.ts';
import { sourceOptions } from '../helpers/source-options.ts';

const addresses = ['http://user:pa55@127.0.0.1:8500', 'http://127.0.0.2:8500'];
const refused = expect.objectContaining({ code: 'SOURCE_BAD_OPTIONS' }) as Error;

describe('openSource', () => {
  it.each<[SourceType, string, string]>([
    ['consul', '/v1/kv/ups/a/?token=x', 'consul http://127.0.0.1:8500 (and 1 more)/v1/kv/ups/a/'],
    [
      'consul_services',
      '/v1/catalog/service/a',
      'consul_services http://127.0.0.1:8500 (and 1 more)/v1/catalog/service/a',
    ],
    [
      'consul_health',
      '/v1/health/service/a',
      'consul_health http://127.0.0.1:8500 (and 1 more)/v1/health/service/a',
    ],
    ['etcd', '/v2/keys/a', 'etcd http://127.0.0.1:8500 (and 1 more)/v2/keys/a'],
    ['file', '/etc/list', 'file /etc/list'],
  ])('describes a source of type %s without secrets', (type, path, description) => {
    expect(openSource(sourceOptions({ type, path, addresses, token: 'x' })).description).toBe(description);
  });

  it.each(['etcd', 'file'] as const)('refuses options of Consul for %s', (type) => {
    const all: Partial<SourceOptions>[] = [
      { dc: 'a' },
      { tags: ['a'] },
      { filter: 'a' },
      { passing: true },
      { cached: true },
      { useWeights: true },
      { consistency: 'stale' },
    ];
    for (const more of all)
      expect(() => openSource(sourceOptions({ type, path: '/a', addresses, ...more }))).toThrow(refused);
  });

  it('refuses a type it does not know', () => {
    const type = 'zookeeper' as SourceType;
    expect(() => openSource(sourceOptions({ type, path: '/a', addresses }))).toThrow(refused);
  });
});

describe('openSources', () => {
  it('keeps the order, also when the same options stand there twice', () => {
    const kv = (name: string) => sourceOptions({ type: 'consul', path: `/v1/kv/ups/${name}/`, addresses });
    const file = sourceOptions({ type: 'file', path: '/etc/list' });
    const [a, b] = [kv('a'), kv('b')];
    const sources = openSources([a, file, b, a, kv('c')]);
    expect(sources.map((source) => source.description.replace(/^.*[ )]/, ''))).toEqual([
      '/v1/kv/ups/a/',
      '/etc/list',
      '/v1/kv/ups/b/',
      '/v1/kv/ups/a/',
      '/v1/kv/ups/c/',
    ]);
    expect(new Set(sources).size).toBe(5);
  });

  it('opens none as none', () => {
    expect(openSources([])).toEqual([]);
  });
});
