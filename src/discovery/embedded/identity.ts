/** Who the registry says it is: one datacenter with one server, as a Consul in development would be. */
export interface Identity {
  readonly datacenter: string;
  readonly node: string;
  /** A UUID; kept over restarts when there is a data file. */
  readonly nodeId: string;
  /** Address the registry listens on, without brackets. */
  readonly address: string;
  readonly port: number;
}

/** What `/v1/agent/self` answers as the version: the Consul whose API this is, marked as ours by the build part. */
export const VERSION = '1.20.6+upsync';
