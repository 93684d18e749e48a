import type { SourceList } from '../discovery/source.ts';
import type { Server } from '../upstream/server.ts';

/** How much a registry is believed when its list shrinks. */
export interface GuardOptions {
  /** Believe an empty list. @default false */
  readonly allowEmpty: boolean;
  /**
   * Share of the servers in force that a new list must keep, 0 to 1; when fewer stay, the removal is held for `holdMs`.
   * 0 switches this off. @default 0
   */
  readonly minKeep?: number;
  /** How long a mass removal must stand before it is believed. Milliseconds. @default 30000 */
  readonly holdMs?: number;
}

/** What the guard remembers between two lists of one upstream: a removal being held. */
export interface Hold {
  /** When the removal may be believed, on the clock of `judgeList`. */
  readonly releaseAt: number;
}

/** Why a list was not taken as it is. */
export type GuardCode = 'LIST_EMPTY' | 'LIST_ALL_REJECTED' | 'LIST_MASS_REMOVAL';

/** The guard's answer. No verdict ever empties a list unless `allowEmpty` is on and the registry's list has no entry at all. */
export type Verdict =
  /** Use these servers. */
  | { readonly kind: 'accept'; readonly servers: readonly Server[] }
  /** Change nothing. */
  | { readonly kind: 'keep'; readonly code: GuardCode; readonly reason: string }
  /** Use these servers, the ones to be removed still among them; ask again at `hold.releaseAt`. */
  | {
      readonly kind: 'hold';
      readonly code: GuardCode;
      readonly reason: string;
      readonly servers: readonly Server[];
      readonly hold: Hold;
    };

export const DEFAULT_HOLD_MS = 30_000;

/**
 * Decides whether a list from a registry may replace the one in force. Pure.
 *
 * An empty list is kept out unless `allowEmpty`; a list of which every entry was refused is kept out always, since it is a
 * mistake and no wish. With `minKeep`, a list that drops too many servers at once adds and changes servers right away, but
 * its removals wait until they have stood for `holdMs`: an agent that restarts, or a registry that lost its data, is
 * usually back by then.
 *
 * @param inForce the servers in use, when they came from a registry or a dump; undefined for lines of a configuration,
 *   which are there to be replaced.
 * @param now any monotonic clock, milliseconds.
 * Source: the never-empty rule is nginx-upsync-module's ("cannot delete all peers").
 */
export function judgeList(
  list: Pick<SourceList, 'servers' | 'rejected'>,
  inForce: readonly Server[] | undefined,
  options: GuardOptions,
  hold: Hold | undefined,
  now: number,
): Verdict {
  if (list.servers.length === 0) {
    if (list.rejected.length > 0)
      return {
        kind: 'keep',
        code: 'LIST_ALL_REJECTED',
        reason: `all ${list.rejected.length} entries were refused; the last good list stays in use`,
      };
    if (!options.allowEmpty)
      return {
        kind: 'keep',
        code: 'LIST_EMPTY',
        reason: 'the list is empty; the last good list stays in use (allow_empty=on would believe it)',
      };
  }
  const minKeep = options.minKeep ?? 0;
  if (minKeep > 0 && inForce !== undefined && inForce.length > 0) {
    const wanted = new Set(list.servers.map((server) => server.address));
    const removed = inForce.filter((server) => !wanted.has(server.address));
    const kept = inForce.length - removed.length;
    if (kept < inForce.length * minKeep) {
      const releaseAt = hold?.releaseAt ?? now + (options.holdMs ?? DEFAULT_HOLD_MS);
      if (now < releaseAt)
        return {
          kind: 'hold',
          code: 'LIST_MASS_REMOVAL',
          reason:
            `the list drops ${removed.length} of ${inForce.length} servers at once; ` +
            `they stay in use until this has stood for ${options.holdMs ?? DEFAULT_HOLD_MS} ms`,
          servers: [...list.servers, ...removed],
          hold: { releaseAt },
        };
    }
  }
  return { kind: 'accept', servers: list.servers };
}
