import { isHealthy, type Provider, type ProviderList } from './provider.ts';

/** A server with what a single answer cannot tell. Immutable. */
export interface Member {
  readonly provider: Provider;
  /** When it was first seen, milliseconds since the epoch. */
  readonly since: number;
  /** It was healthy at some time; only such servers are protected. */
  readonly worked: boolean;
  /** When it stopped being healthy; undefined while it is. */
  readonly failingSince: number | undefined;
}

/** The servers of one name in one IDC, as believed. Immutable. */
export interface Membership {
  readonly members: readonly Member[];
  /** Set while empty answers are being doubted: the first one's time, and how many came. */
  readonly emptySince: number | undefined;
  readonly emptyAnswers: number;
}

/** How doubtful answers are treated. Every number can be set; these are the defaults. */
export interface HoldOptions {
  /** Part of the working servers that stays in use when they fail faster than people act. @default 0.6 */
  readonly keepRatio?: number;
  /** A server that failed for this long is believed to be gone and no longer protected. Milliseconds. @default 600000 */
  readonly believeFailureAfterMs?: number;
  /** An empty answer is not believed before it was repeated for this long. Milliseconds. @default 10000 */
  readonly emptyGraceMs?: number;
  /** Nor before this many empty answers in a row. @default 2 */
  readonly emptyConfirmations?: number;
}

export const HOLD_DEFAULTS: Required<HoldOptions> = Object.freeze({
  keepRatio: 0.6,
  believeFailureAfterMs: 600_000,
  emptyGraceMs: 10_000,
  emptyConfirmations: 2,
});

export const NO_MEMBERS: Membership = Object.freeze({ members: [], emptySince: undefined, emptyAnswers: 0 });

/**
 * What to believe after an answer of the registry.
 *
 * An empty answer leaves the list as it was until it was confirmed for the grace period. A server that is absent from a
 * complete answer was deregistered, which always counts. One that is absent from an answer that shows passing servers only
 * may just be failing: it stays, as `missing`, until `believeFailureAfterMs`.
 */
export function remember(
  before: Membership,
  list: Pick<ProviderList, 'providers' | 'complete'>,
  now: number,
  options: HoldOptions = {},
): Membership {
  const { emptyGraceMs, emptyConfirmations, believeFailureAfterMs } = { ...HOLD_DEFAULTS, ...options };
  if (list.providers.length === 0 && before.members.length > 0) {
    const emptySince = before.emptySince ?? now;
    const emptyAnswers = before.emptyAnswers + 1;
    if (now - emptySince < emptyGraceMs || emptyAnswers < emptyConfirmations)
      return { members: before.members, emptySince, emptyAnswers };
    return NO_MEMBERS;
  }
  const known = new Map(before.members.map((member) => [member.provider.id, member]));
  const members = list.providers.map((provider) => {
    const previous = known.get(provider.id);
    known.delete(provider.id);
    return updated(previous, provider, now);
  });
  if (!list.complete)
    for (const lost of known.values()) {
      const missing = updated(lost, { ...lost.provider, health: 'missing' }, now);
      if (now - missing.failingSince! < believeFailureAfterMs) members.push(missing);
    }
  return { members, emptySince: undefined, emptyAnswers: 0 };
}

/**
 * Failing servers that stay in use so that at least `keepRatio` of the working ones remain, the latest to fail first. For use
 * when no other place can take the load; where one can, failing servers are better left alone.
 * Source: the protection threshold of Weibo's config service (0.6).
 */
export function protectedMembers(
  members: readonly Member[],
  now: number,
  options: HoldOptions = {},
): ReadonlySet<Member> {
  const { keepRatio, believeFailureAfterMs } = { ...HOLD_DEFAULTS, ...options };
  const healthy = members.filter((member) => isHealthy(member.provider.health)).length;
  const failing = members.filter(
    ({ worked, failingSince }) =>
      worked && failingSince !== undefined && now - failingSince < believeFailureAfterMs,
  );
  // The epsilon keeps 0.6 × 5 at 3 in binary arithmetic.
  const wanted = Math.ceil((healthy + failing.length) * keepRatio - 1e-9) - healthy;
  if (wanted <= 0) return new Set();
  failing.sort((a, b) => b.failingSince! - a.failingSince! || (a.provider.id < b.provider.id ? -1 : 1));
  return new Set(failing.slice(0, wanted));
}

function updated(previous: Member | undefined, provider: Provider, now: number): Member {
  const healthy = isHealthy(provider.health);
  return {
    provider,
    since: previous?.since ?? now,
    worked: healthy || previous?.worked === true,
    failingSince: healthy ? undefined : (previous?.failingSince ?? now),
  };
}
