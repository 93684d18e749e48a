import type { RejectedEntry } from '../upstream/errors.ts';
import type { MotanUrl } from './url.ts';

/** What a registry says of a server's health. `missing`: it left the answers of a registry that hides failing servers. */
export type Health = 'passing' | 'warning' | 'critical' | 'missing';

/** One server as a registry told it, before any ranking. Immutable. */
export interface Provider {
  /** The registry's identity of the entry; unique in a list. */
  readonly id: string;
  /** `10.0.0.1:6379` or `[2001:db8::1]:6379`. */
  readonly address: string;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** 0..65535; 0 takes no traffic. */
  readonly weight: number;
  readonly health: Health;
  /** A person took it out (maintenance mode, a `down` tag): it counts as deregistered, not as failing. @default false */
  readonly withdrawn?: boolean;
  /** The Motan URL of the entry, for a service of a Motan group. */
  readonly motan?: MotanUrl;
}

/** One whole answer of a registry. */
export interface ProviderList {
  readonly providers: readonly Provider[];
  /** Entries that could not be read; they stay out, the rest is used. */
  readonly rejected: readonly RejectedEntry[];
  /**
   * True when failing servers are part of the answer, so that one that is missing was deregistered on purpose. False when
   * the registry shows passing servers only: then a missing one may just be failing, and the removal cap protects it.
   */
  readonly complete: boolean;
  readonly index?: string;
}

/**
 * Where values come from, for instance the servers of one service or the commands of one group. As `Source`: the whole value at
 * once, then again after each change; ends only by throwing or after abort; never retries, waits or caches by itself.
 */
export interface ValueSource<T> {
  /** For logs, free of secrets. */
  readonly description: string;
  values(signal: AbortSignal): AsyncIterable<T>;
}

export type ProviderSource = ValueSource<ProviderList>;

/** True for a server that may get traffic by the registry's word. A warning is not yet a failure. */
export function isHealthy(health: Health): boolean {
  return health === 'passing' || health === 'warning';
}
