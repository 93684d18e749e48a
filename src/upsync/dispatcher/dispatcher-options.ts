import type { Dispatcher } from 'undici';
import type { BalancerOptions } from '../../balancer/balancer.ts';
import { METHODS } from '../../balancer/methods.ts';
import type { Server } from '../../upstream/server.ts';
import { NEXT_UPSTREAM_CONDITIONS, type NextUpstreamCondition } from './next-upstream.ts';
import type { PoolOptions } from './server-pools.ts';

export interface DispatcherOptions {
  /** The upstream's name, for errors and events. */
  readonly upstream: string;
  /** @default round robin, started at a random place */
  readonly balancer?: Partial<BalancerOptions>;
  /** Servers to start with; a list from the registry replaces them. @default none */
  readonly servers?: readonly Server[];
  /** The key of `hash`, `hash_consistent` and `bounded_hash`; for `ip_hash` the client's address as 4 or 16 latin1 bytes. @default the request's path */
  readonly key?: (options: Dispatcher.DispatchOptions) => string;
  /** When to pass a request on to the next server. @default ['error', 'timeout'] */
  readonly nextUpstream?: readonly NextUpstreamCondition[];
  /** Most servers one request may try; 0 means all. @default 0 */
  readonly nextUpstreamTries?: number;
  /** No further server once a request is this old, in milliseconds; 0 means no limit. @default 0 */
  readonly nextUpstreamTimeoutMs?: number;
  /** For each server's connection pool. */
  readonly pool?: PoolOptions;
}

/**
 * Refuses what no compiler refused for a caller in JavaScript: a word that is none would otherwise balance by round robin, or
 * never go on to the next server, and nobody would know.
 * @throws {RangeError} naming the option, what it may be, and what it was.
 */
export function checkOptions(options: DispatcherOptions): void {
  const { method, seed, loadFactor } = options.balancer ?? {};
  checkWord('balancer.method', method, METHODS);
  checkNumber('balancer.seed', seed, 'a whole number', Number.isSafeInteger);
  checkNumber('balancer.loadFactor', loadFactor, 'a number from 1', (n) => n >= 1);
  for (const condition of options.nextUpstream ?? [])
    checkWord('nextUpstream', condition, NEXT_UPSTREAM_CONDITIONS);
  const { nextUpstreamTries, nextUpstreamTimeoutMs } = options;
  checkNumber(
    'nextUpstreamTries',
    nextUpstreamTries,
    'a whole number from 0',
    (n) => Number.isInteger(n) && n >= 0,
  );
  checkNumber('nextUpstreamTimeoutMs', nextUpstreamTimeoutMs, 'milliseconds from 0', (n) => n >= 0);
}

function checkWord(name: string, value: string | undefined, words: readonly string[]): void {
  if (value === undefined || words.includes(value)) return;
  throw new RangeError(`Expected ${name} to be one of ${words.join(', ')}, got ${JSON.stringify(value)}`);
}

function checkNumber(
  name: string,
  value: number | undefined,
  range: string,
  isRight: (value: number) => boolean,
): void {
  if (value === undefined || isRight(value)) return;
  throw new RangeError(`Expected ${name} to be ${range}, got ${value}`);
}
