import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_MEMBERS, remember } from '../../src/motan/members.ts';
import { effectiveWeight, rank, type RankedPlace } from '../../src/motan/ranking.ts';
import { provider } from '../helpers/motan-providers.ts';

function place(idc: string, healthy: number, total: number, weight = 1, capacityFactor = 1): RankedPlace {
  const entry = (failing: boolean) => (_: unknown, id: number) =>
    provider(id + 1, { weight, health: failing && id >= healthy ? 'critical' : 'passing' });
  const all = { length: total };
  const before = remember(NO_MEMBERS, { providers: Array.from(all, entry(false)), complete: true }, 0);
  const { members } = remember(before, { providers: Array.from(all, entry(true)), complete: true }, 1);
  return { idc, capacityFactor, members };
}
const shares = (places: RankedPlace[], options = {}) =>
  rank(places, 2, options).places.map(({ share }) => Math.round(share * 1000) / 1000);

describe('rank', () => {
  it.each([
    [100, [1, 0]],
    [72, [1, 0]],
    [71, [0.99, 0.01]],
    [50, [0.7, 0.3]],
    [25, [0.35, 0.65]],
    [0, [0, 1]],
  ])('moves traffic away gradually: %i %% healthy gives the IDCs %j', (healthy, expected) => {
    expect(shares([place('a', healthy, 100), place('b', 100, 100)])).toEqual(expected);
  });

  it('leaves failing servers alone while another IDC can help', () => {
    const { servers } = rank([place('a', 2, 4), place('b', 4, 4)], 2);
    expect(servers.filter(({ idc, share }) => idc === 'a' && share > 0)).toHaveLength(2);
  });

  it('keeps 60 % in use when there is nobody to help', () => {
    const { servers, places } = rank([place('a', 5, 10)], 2);
    expect(servers.filter(({ share }) => share > 0)).toHaveLength(6);
    expect(places[0]).toMatchObject({ kept: 1, panic: false });
  });

  it('uses every server in panic', () => {
    const { servers, places } = rank([place('a', 1, 10)], 2);
    expect(servers.every(({ share }) => share === 0.1)).toBe(true);
    expect(places[0]!.panic).toBe(true);
  });

  it('counts weight × capacity factor', () => {
    expect([
      effectiveWeight(20, 0.8),
      effectiveWeight(1, 0.1),
      effectiveWeight(0, 2),
      effectiveWeight(5, 0.5),
    ]).toEqual([16, 1, 0, 3]);
    const mixed = place('cloud', 2, 2, 20, 0.8);
    expect(rank([mixed], 2).servers.map(({ weight }) => weight)).toEqual([16, 16]);
  });

  it('shares by weight inside an IDC', () => {
    const { members } = remember(
      NO_MEMBERS,
      {
        providers: [provider(1, { weight: 20 }), provider(2, { weight: 16 }), provider(3, { weight: 0 })],
        complete: true,
      },
      0,
    );
    const { servers } = rank([{ idc: 'a', capacityFactor: 1, members }], 0);
    expect(servers.map(({ share }) => share)).toEqual([20 / 36, 16 / 36, 0]);
  });

  it('follows a plan, and falls back to the order when the plan leads nowhere', () => {
    const places = [place('a', 4, 4), place('b', 4, 4), place('cloud', 4, 4)];
    expect(shares(places, { weights: { a: 70, b: 20, cloud: 10 } })).toEqual([0.7, 0.2, 0.1]);
    expect(shares(places, { weights: { b: 1 } })).toEqual([0, 1, 0]);
    const lost = [place('a', 4, 4), place('b', 0, 4), place('cloud', 4, 4)];
    expect(shares(lost, { weights: { b: 1 } })).toEqual([1, 0, 0]);
    expect(rank(lost, 2, { weights: { b: 1 } }).planUsed).toBe(false);
    expect(shares(lost, { weights: { b: 9, cloud: 1 } })).toEqual([0, 0, 1]);
  });

  it('pools all servers in mix mode', () => {
    expect(shares([place('a', 1, 1), place('b', 3, 3)], { mix: ['a', 'b'] })).toEqual([0.25, 0.75]);
    const cut = [place('a', 0, 1), place('b', 3, 3)];
    expect(shares(cut, { mix: ['a'] })).toEqual([0, 1]);
    expect(rank(cut, 2, { mix: ['a'] }).planUsed).toBe(false);
  });

  it('hands the load of an IDC whose servers all weigh nothing to the others', () => {
    expect(shares([place('a', 2, 2, 0), place('b', 2, 2)])).toEqual([0, 1]);
  });

  it('gives shares that add up to one whenever a server can be used', () => {
    const places = fc.array(fc.tuple(fc.nat(6), fc.nat(6), fc.nat(5)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(places, fc.boolean(), (all, mix) => {
        const built = all.map(([a, b, weight], index) =>
          place(`i${index}`, Math.min(a, b), Math.max(a, b), weight),
        );
        const { servers } = rank(built, 2, mix ? { mix: ['i0', 'i1'] } : {});
        const sum = servers.reduce((total, { share }) => total + share, 0);
        const usable = built.some(({ members }) => members.some(({ provider: { weight } }) => weight > 0));
        if (!usable) expect(sum).toBe(0);
        else if (servers.some(({ weight, health }) => weight > 0 && health === 'passing'))
          expect(sum).toBeCloseTo(1, 9);
        expect(servers.every(({ share }) => share >= 0)).toBe(true);
      }),
    );
  });
});
