import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConsulIndex, pollTimes } from '../../src/discovery/consul-index.ts';
import { joinQuery, parseRequestPath } from '../../src/discovery/request-path.ts';

describe('parseConsulIndex', () => {
  it.each<[string | undefined, bigint | undefined]>([
    [undefined, undefined],
    ['', undefined],
    ['0', 1n],
    ['00', 1n],
    ['1', 1n],
    ['18446744073709551615', 18_446_744_073_709_551_615n],
    ['18446744073709551616', undefined],
    ['-1', undefined],
    ['0x10', undefined],
    ['1e3', undefined],
    [' 7', undefined],
    ['7, 8', undefined],
  ])('%j is %s', (header, index) => {
    expect(parseConsulIndex(header)).toBe(index);
  });
});

describe('pollTimes', () => {
  it('lets Consul answer before our deadline, jitter included, and stays within the timeout', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 2_147_483_647 }), (timeoutMs) => {
        const { waitMs, deadlineMs } = pollTimes(timeoutMs);
        expect(waitMs).toBeGreaterThanOrEqual(1);
        expect(waitMs).toBeLessThanOrEqual(600_000);
        expect(deadlineMs).toBeGreaterThan((waitMs * 17) / 16);
        expect(deadlineMs).toBeLessThanOrEqual(timeoutMs);
      }),
    );
  });

  it('with the default timeout waits a little less than Consul would by itself, and longer than its default', () => {
    expect(pollTimes(360_000)).toEqual({ waitMs: 334_117, deadlineMs: 360_000 });
  });
});

describe('parseRequestPath', () => {
  it.each([
    ['/v1/kv/a', '/v1/kv/a', [], undefined],
    ['/v1/kv/a?', '/v1/kv/a', [], undefined],
    ['/v1/kv/a?dc=x&&stale', '/v1/kv/a', ['dc=x', 'stale'], undefined],
    ['/v1/kv/a?token=a%2Fb&dc=x?y', '/v1/kv/a', ['dc=x?y'], 'a/b'],
    ['/v1/kv/a?token=%', '/v1/kv/a', [], '%'],
  ])('%s', (typed, path, query, token) => {
    expect(parseRequestPath(typed)).toEqual({ path, query, token });
  });

  it('is put together again as it was', () => {
    expect(joinQuery('/a', ['b', 'c=d'])).toBe('/a?b&c=d');
    expect(joinQuery('/a', [])).toBe('/a');
  });
});
