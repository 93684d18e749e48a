import type { ConsistencyMode } from './query.ts';

/** What a handler answers with. Without a body the reply is empty. */
export interface Reply {
  /** @default 200 */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Written as JSON, indented when the client asked for `?pretty`. */
  readonly json?: unknown;
  /** JSON ready to send, for large replies that many clients share. */
  readonly jsonText?: Buffer;
  /** Sent as it is; the handler names its type in `headers`. */
  readonly raw?: Buffer;
}

/** An empty success, as the agent's endpoints answer a write. */
export const DONE: Reply = {};

/** The headers a blocking query's answer carries. `backend` tells which of Consul's two engines would have answered. */
export function queryHeaders(
  index: number,
  consistency?: ConsistencyMode,
  backend: 'blocking-query' | 'streaming' = 'blocking-query',
): Record<string, string> {
  return {
    'X-Consul-Index': String(index),
    'X-Consul-Knownleader': 'true',
    'X-Consul-Lastcontact': '0',
    'X-Consul-Query-Backend': backend,
    ...(consistency === undefined ? {} : { 'X-Consul-Effective-Consistency': consistency }),
  };
}
