import { describe, expect, it } from 'vitest';
import { type Membership, NO_MEMBERS, protectedMembers, remember } from '../../src/motan/members.ts';
import type { Health } from '../../src/motan/provider.ts';
import { provider } from '../helpers/motan-providers.ts';

const list = (...servers: readonly (number | [number, Health])[]) => ({
  providers: servers.map((one) =>
    typeof one === 'number' ? provider(one) : provider(one[0], { health: one[1] }),
  ),
  complete: true,
});
const ids = (membership: Membership) => membership.members.map((member) => Number(member.provider.id));

describe('remember', () => {
  it('takes a deregistered server out at once, however many they are', () => {
    const before = remember(NO_MEMBERS, list(1, 2, 3, 4, 5), 0);
    expect(ids(remember(before, list(5), 1))).toEqual([5]);
  });

  it('doubts an empty answer until it was repeated for the grace period', () => {
    const before = remember(NO_MEMBERS, list(1, 2), 0);
    const first = remember(before, list(), 1000);
    expect(first).toEqual({ members: before.members, emptySince: 1000, emptyAnswers: 1 });
    const second = remember(first, list(), 5000);
    expect(second).toEqual({ members: before.members, emptySince: 1000, emptyAnswers: 2 });
    expect(remember(second, list(), 11_000)).toBe(NO_MEMBERS);
  });

  it('needs several empty answers, not only time', () => {
    const before = remember(NO_MEMBERS, list(1), 0);
    expect(ids(remember(before, list(), 0, { emptyGraceMs: 0 }))).toEqual([1]);
    expect(remember(before, list(), 0, { emptyGraceMs: 0, emptyConfirmations: 1 })).toBe(NO_MEMBERS);
  });

  it('forgets its doubt as soon as servers are back', () => {
    const doubting = remember(remember(NO_MEMBERS, list(1), 0), list(), 1);
    expect(remember(doubting, list(1), 2)).toMatchObject({ emptySince: undefined, emptyAnswers: 0 });
  });

  it('believes an empty answer when nothing was known before', () => {
    expect(remember(NO_MEMBERS, list(), 0).members).toEqual([]);
  });

  it('keeps a server that a registry of passing servers stopped showing, as missing, for a bounded time', () => {
    const partial = (...servers: number[]) => ({ ...list(...servers), complete: false });
    const before = remember(NO_MEMBERS, partial(1, 2), 0);
    const after = remember(before, partial(2), 10);
    expect(after.members.map(({ provider: { id, health } }) => [id, health])).toEqual([
      ['2', 'passing'],
      ['1', 'missing'],
    ]);
    expect(ids(remember(after, partial(2), 600_010))).toEqual([2]);
  });

  it('remembers when a server came and since when it fails', () => {
    const before = remember(NO_MEMBERS, list(1), 5);
    const failing = remember(before, list([1, 'critical']), 8);
    expect(remember(failing, list([1, 'critical']), 9).members[0]).toMatchObject({
      since: 5,
      worked: true,
      failingSince: 8,
    });
    expect(remember(failing, list([1, 'warning']), 9).members[0]!.failingSince).toBeUndefined();
  });
});

describe('protectedMembers', () => {
  const failed = (count: number, of: number, at: number) => {
    const all = Array.from({ length: of }, (_, index) => index + 1);
    const before = remember(NO_MEMBERS, list(...all), 0);
    return remember(
      before,
      list(...all.map((id): [number, Health] => [id, id <= count ? 'critical' : 'passing'])),
      at,
    );
  };

  it.each([
    [0, 10, 0],
    [4, 10, 0],
    [5, 10, 1],
    [10, 10, 6],
    [5, 5, 3],
    [1, 1, 1],
    [2, 3, 1],
  ])('with %i of %i failing keeps %i of them, so that 60 %% stay', (count, of, kept) => {
    expect(protectedMembers(failed(count, of, 100).members, 200).size).toBe(kept);
  });

  it('keeps the latest to fail', () => {
    const early = failed(3, 5, 100);
    const later = remember(
      early,
      list([1, 'critical'], [2, 'critical'], [3, 'critical'], [4, 'critical'], 5),
      500,
    );
    expect([...protectedMembers(later.members, 600)].map((member) => member.provider.id)).toEqual(['4', '1']);
  });

  it('protects neither a server that never worked nor one that failed for long', () => {
    const never = remember(NO_MEMBERS, list([1, 'critical'], [2, 'critical']), 0);
    expect(protectedMembers(never.members, 1).size).toBe(0);
    expect(protectedMembers(failed(10, 10, 100).members, 600_100).size).toBe(0);
  });
});
