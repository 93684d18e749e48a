import type { BalancerOptions } from '../balancer/balancer.ts';
import type { SourceOptions } from '../discovery/source.ts';
import type { Server } from '../upstream/server.ts';

/** One upstream to keep in step, as a configuration (nginx.conf or upsync.yaml) asks for it. */
export interface UpstreamPlan {
  readonly name: string;
  readonly source: SourceOptions;
  /** Do not start before the registry has answered once. @default false */
  readonly strongDependency: boolean;
  /** Believe an empty list. @default false */
  readonly allowEmpty: boolean;
  /** Where the last good list is kept. @default /tmp/servers_<name>.conf */
  readonly dumpPath: string;
  readonly balancer: BalancerOptions;
  /** Ramp of servers whose registry entry names none, in milliseconds. @default 0 */
  readonly slowStartMs?: number;
  /** The list to start with when there is no dump file: the `server` lines of the upstream. */
  readonly initial: readonly Server[];
  /** `file:line` of the `upsync` directive, for messages. */
  readonly where: string;
}
