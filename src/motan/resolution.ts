import type { Health } from './provider.ts';
import type { MotanUrl } from './url.ts';

/**
 * How far a resolution can be trusted. `live`: every IDC's registry stands behind it. `held`: servers are kept that the
 * registry no longer shows, on purpose and for a while. `stale`: a registry cannot be reached or never answered, or the list
 * was read from disk. `pending`: nothing is known yet.
 */
export type ResolutionState = 'live' | 'held' | 'stale' | 'pending';

/** One server of a resolution. */
export interface ResolvedServer {
  /** `10.0.0.1:6379`. */
  readonly address: string;
  readonly host: string;
  readonly port: number;
  readonly idc: string;
  /** 0 is the IDC that comes first. */
  readonly rank: number;
  /** Weight of the registry × the IDC's capacity factor, rounded half up, at least 1 unless the registry says 0. */
  readonly weight: number;
  /** Part of all traffic of the name, 0..1; all shares add up to 1, or to 0 when nothing can be used. */
  readonly share: number;
  readonly health: Health;
  /** When it was first seen, milliseconds since the epoch. */
  readonly since: number;
  /** The provider's URL, for a server of a Motan group. */
  readonly motan?: MotanUrl;
}

/** Why a resolution is not simply what order and health make of it. */
export interface ResolutionReason {
  readonly idc: string;
  /** REGISTRY_ERROR, EMPTY_HELD, SNAPSHOT, REMOVAL_CAP, PANIC, COMMAND, PLAN, PLAN_UNUSABLE, …: stable. */
  readonly code: string;
  /** One sentence for people. */
  readonly text: string;
}

/** One IDC's part in a resolution. */
export interface ResolvedIdc {
  readonly idc: string;
  readonly rank: number;
  /** Part of all traffic, 0..1. */
  readonly share: number;
  readonly servers: number;
  readonly healthy: number;
  /** True when failing servers are used too, because too few are healthy anywhere. */
  readonly panic: boolean;
  readonly state: ResolutionState;
}

/** The ranked answer to one name. Frozen; replaced whole at each change, and may be kept as long as a reader likes. */
export interface Resolution {
  /** Canonical name. */
  readonly name: string;
  /** A counter per name, one higher at each change. */
  readonly version: number;
  readonly state: ResolutionState;
  readonly reasons: readonly ResolutionReason[];
  /** Best IDC first, then by address; servers with share 0 are listed too. */
  readonly servers: readonly ResolvedServer[];
  readonly idcs: readonly ResolvedIdc[];
  /** When this answer was put together, milliseconds since the epoch. */
  readonly at: number;
  /** Oldest moment at which a registry last vouched for a part of it; undefined while every part is live. */
  readonly staleSince: number | undefined;
}

/** Ends a subscription; the second call does nothing. */
export interface Subscription {
  unsubscribe(): void;
}

/** How IDC shares are set by a person, a command or a schedule. */
export interface TrafficPlan {
  /** IDC → relative weight, 0 or more; IDCs that are not named get nothing while a named one can serve. */
  readonly weights: Readonly<Record<string, number>>;
  /** Shown in the resolution. */
  readonly reason: string;
}

/** Resolves `resource.idc.port` names. */
export interface Resolver {
  /** The local IDC. */
  readonly local: string;
  /**
   * The newest answer, at once. The first call for a name starts watching it and may return a disk snapshot or `pending`.
   * The same frozen object is returned until something changes.
   * @throws {UpsyncError} BAD_NAME, UNKNOWN_IDC, TOO_MANY_NAMES.
   */
  resolve(name: string): Resolution;
  /** The first answer that is not `pending`. Rejects with PENDING after `timeoutMs` or when `signal` aborts. */
  ready(
    name: string,
    options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<Resolution>;
  /** Calls `listener` with each new answer, the present one included once it is known. A slow or throwing listener harms nobody. */
  subscribe(name: string, listener: (resolution: Resolution) => void): Subscription;
  /** The same as an iterable; a slow reader skips what is outdated and always sees the newest. */
  changes(name: string, signal: AbortSignal): AsyncIterable<Resolution>;
  /**
   * Sets or (undefined) clears the traffic plan of one resource (`rs`), of one name (`rs.a.6379`), or of all (`*`); the closest
   * counts, and a Motan command counts more.
   * @throws {UpsyncError} BAD_PLAN for an unknown IDC, a negative weight, or no weight above 0.
   */
  plan(target: string, plan: TrafficPlan | undefined): void;
  /** Names watched now. */
  names(): readonly string[];
  /** The newest answer to a name that is watched, for whoever only looks on: it neither starts nor prolongs the watch. */
  peek(name: string): Resolution | undefined;
  /**
   * Lets a name go before its time, unless somebody subscribes to it or waits for it. The next use starts it anew.
   * @returns true when it was watched and is not any more.
   */
  forget(name: string): boolean;
  close(): Promise<void>;
}

/** What servers of names need of a resolver. */
export type NameReader = Pick<Resolver, 'local' | 'resolve' | 'ready' | 'forget'>;
