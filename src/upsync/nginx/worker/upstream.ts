import type { Balancer, BalancerOptions } from '../../../balancer/balancer.ts';
import type { KeyPart } from './hash-key.ts';
import type { KnownServers } from './list.ts';

/** One upstream, as this worker balances it. */
export interface Upstream {
  readonly name: string;
  /** How events name it. */
  readonly number: number;
  options: BalancerOptions;
  readonly key: readonly KeyPart[];
  readonly versionKey: string;
  readonly generationKey: string;
  /** The version in use; 0 for the boot file's list. */
  version: number;
  /** A version that could not be put to work, 0 for none. */
  badVersion: number;
  balancer: Balancer;
  /** Some server has `max_conns`. */
  limited: boolean;
  /** True from the moment a newer list may be in the dictionary until it was looked at. */
  stale: boolean;
  known: KnownServers;
  /** When other workers' counts of requests were last read, and when ours changed since they were last told. */
  loadsReadAt: number;
  loadsChanged: boolean;
}
