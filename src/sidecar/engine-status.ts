import type { UpstreamStatus } from '../upsync/upstream-status.ts';
import type { NamesStatus } from './names/names-status.ts';

/** The answer of `GET /status`. */
export interface EngineStatus {
  readonly pid: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** How lists reach nginx; left out without an nginx. */
  readonly nginx?: { readonly mode: 'workers' | 'reload'; readonly masterPid?: number };
  readonly upstreams: readonly UpstreamStatus[];
  /** What is served from names, when anything is. */
  readonly names?: NamesStatus;
}
