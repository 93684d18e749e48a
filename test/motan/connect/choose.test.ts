import { describe, expect, it } from 'vitest';
import { chooseServer, RecentFailures, standby } from '../../../src/motan/connect/choose.ts';
import type { Resolution } from '../../../src/motan/resolution.ts';
import { resolutionOf as resolution } from '../../helpers/resolution.ts';

const none = (): boolean => false;
const first = (): number => 0;
const choose = (
  from: Resolution,
  role: 'writer' | 'reader',
  failed: readonly string[] = [],
  current?: string,
): string | undefined =>
  chooseServer(from, role, (address) => failed.includes(address), first, current)?.address;

describe('chooseServer', () => {
  it.each([
    ['the best with traffic', ['a1 0.5', 'a2 0.5', 'b1 0'], [], undefined, 'a1'],
    ['the next when the best failed', ['a1 0.5', 'a2 0.5', 'b1 0'], ['a1'], undefined, 'a2'],
    [
      'one that stands by when all with traffic failed',
      ['a1 1', 'b1 0 critical', 'b2 0'],
      ['a1'],
      undefined,
      'b2',
    ],
    ['one with traffic when all failed', ['a1 1', 'b1 0'], ['a1', 'b1'], undefined, 'a1'],
    ['none of an IDC that was taken out', ['a1 0', 'b1 1'], ['b1'], undefined, 'b1'],
    ['where it is while the best has failed', ['a1 0.5', 'a2 0.5'], ['a1', 'a2'], 'a2', 'a2'],
    ['the best again, wherever it is', ['a1 0.5', 'a2 0.5'], [], 'a2', 'a1'],
    ['nobody', ['a1 0'], [], undefined, undefined],
  ])('takes a writer to %s', (_, servers, failed, current, expected) => {
    expect(choose(resolution(...servers), 'writer', failed, current)).toBe(expected);
  });

  it('leaves a reader where it is while that has traffic', () => {
    const servers = resolution('a1 0.9', 'a2 0.1', 'b1 0');
    expect(choose(servers, 'reader', [], 'a2')).toBe('a2');
    expect(choose(servers, 'reader', [], 'b1')).not.toBe('b1');
  });

  it('takes readers to each server as often as its share says', () => {
    const servers = resolution('a1 0.6', 'a2 0.1', 'b1 0.3');
    const counts: Record<string, number> = {};
    let seed = 1;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    for (let turn = 0; turn < 10_000; turn++) {
      const { address } = chooseServer(servers, 'reader', none, random)!;
      counts[address] = (counts[address] ?? 0) + 1;
    }
    // The generator is fixed, so that this is no matter of luck.
    expect(counts['a1']! / 10_000).toBeCloseTo(0.6, 1);
    expect(counts['a2']! / 10_000).toBeCloseTo(0.1, 1);
    expect(counts['b1']! / 10_000).toBeCloseTo(0.3, 1);
  });
});

describe('standby', () => {
  it('is what is healthy in the IDCs after those with traffic', () => {
    const addresses = (from: Resolution): string[] => standby(from).map(({ address }) => address);
    expect(addresses(resolution('a1 1', 'a2 0', 'b1 0', 'b2 0 critical', 'c1 0'))).toEqual(['b1', 'c1']);
    expect(addresses(resolution('a1 0', 'b1 1', 'c1 0'))).toEqual(['c1']);
    expect(addresses(resolution('a1 0', 'b1 0'))).toEqual([]);
  });
});

describe('RecentFailures', () => {
  it('passes a server over for a while, and stays wary until it was reached', () => {
    const failures = new RecentFailures(100);
    expect(failures.isTroubled).toBe(false);
    failures.add('x', 1000);
    expect([failures.has('x', 1099), failures.has('x', 1100), failures.has('y', 1000)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(failures.isTroubled).toBe(true);
    failures.delete('x');
    expect(failures.isTroubled).toBe(false);
  });
});
