import type { DnsStats } from '../../motan/dns/server.ts';
import type { Resolution, ResolutionReason, ResolutionState, ResolvedIdc } from '../../motan/resolution.ts';
import type { ScheduleStatus } from '../../motan/schedule/schedule.ts';

/** A name that is looked up, without its servers. */
export interface NameStatus {
  readonly name: string;
  readonly state: ResolutionState;
  readonly version: number;
  readonly idcs: readonly ResolvedIdc[];
  readonly reasons: readonly ResolutionReason[];
}

/** What is served from names, and how it does: `names` of `GET /status`. */
export interface NamesStatus {
  /** The local IDC. */
  readonly idc: string;
  readonly dns?: { readonly address: string; readonly suffix: string } & DnsStats;
  readonly configService?: { readonly url: string };
  /** Traffic plans, one entry per target. */
  readonly plans: readonly ScheduleStatus[];
  /** Names that are watched, at most {@link MOST_NAMES}. */
  readonly names: readonly NameStatus[];
  /** How many are watched. */
  readonly watched: number;
}

/** Names told about in one answer. */
export const MOST_NAMES = 1000;

/** The part of an answer that a status tells. */
export function nameStatus({ name, state, version, idcs, reasons }: Resolution): NameStatus {
  return { name, state, version, idcs, reasons };
}
