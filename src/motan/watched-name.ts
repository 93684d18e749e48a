import { UpsyncError } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';
import type { FeedPool } from './feed.ts';
import type { HoldOptions } from './members.ts';
import type { ProbeOptions } from './probe.ts';
import type { ProviderList } from './provider.ts';
import type { TrafficPlan } from './resolution.ts';
import type { SpillOptions } from './spill.ts';
import type { RegistryQuery } from './topology.ts';

/** The commands of one group in one registry. */
export interface CommandQuery {
  readonly group: string;
  readonly registry?: string;
}

/** What all names of a resolver share. */
export interface NameWatchContext {
  readonly feeds: FeedPool<RegistryQuery, ProviderList>;
  readonly commands: FeedPool<CommandQuery, string> | undefined;
  readonly hold: HoldOptions;
  readonly spill: SpillOptions;
  readonly probing: ProbeOptions;
  readonly localIp: string;
  readonly snapshotDir: string | undefined;
  /** How long an answer waits for IDCs that are slow to answer. Milliseconds. */
  readonly settleMs: number;
  readonly logger: Logger;
  readonly now: () => number;
}

/** What one name is made of. */
export interface WatchedName {
  /** Canonical name. */
  readonly text: string;
  /** Where its servers are, best first. */
  readonly places: readonly WatchedPlace[];
  /** The traffic plan in force, asked at each answer. */
  readonly plan: () => TrafficPlan | undefined;
}

export interface WatchedPlace {
  readonly idc: string;
  readonly capacityFactor: number;
  readonly query: RegistryQuery;
}

/** The error of a name nothing is known about. */
export function pendingError(name: string, why: string, lastError: string | undefined): UpsyncError {
  const cause = lastError ?? 'no registry answered yet';
  return new UpsyncError(
    'PENDING',
    `nothing is known about ${name} ${why}: ${cause}; a resolver goes on asking`,
  );
}
