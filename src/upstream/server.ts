/** One server of an upstream: nginx's word for an `address:port` with its attributes. Immutable. */
export interface Server {
  /**
   * Identity, as text: `10.0.0.1:80`, `[2001:db8::1]:80`, `unix:/run/app.sock` or `host.example:80`.
   * Two servers are the same when this text is the same. Source: nginx-upsync-module compares `addr:port` as text.
   */
  readonly address: string;
  /** 1..65535. */
  readonly weight: number;
  /** 0 switches passive failure accounting off. */
  readonly maxFails: number;
  /** Milliseconds, a multiple of 1000 (nginx keeps whole seconds). */
  readonly failTimeoutMs: number;
  /** Gets no new request. */
  readonly down: boolean;
  /** Used only when no primary server is left. */
  readonly backup: boolean;
  /** Concurrent connections allowed; 0 means no limit. */
  readonly maxConns: number;
  /** Ramp of a new or recovered server, in milliseconds; 0 means none. */
  readonly slowStartMs: number;
  /** Finishes what is bound to it and takes nothing new. */
  readonly drain: boolean;
}

/** Attributes of a server whose registry entry names none. Source: nginx-upsync-module README, attribute defaults. */
export const SERVER_DEFAULTS: Omit<Server, 'address'> = Object.freeze({
  weight: 1,
  maxFails: 2,
  failTimeoutMs: 10_000,
  down: false,
  backup: false,
  maxConns: 0,
  slowStartMs: 0,
  drain: false,
});

/** A server with the registry defaults, unless given otherwise. */
export function createServer(address: string, attributes: Partial<Omit<Server, 'address'>> = {}): Server {
  return Object.freeze({ address, ...SERVER_DEFAULTS, ...attributes });
}

/** True when both have the same address and the same attributes. */
export function sameServer(a: Server, b: Server): boolean {
  return (
    a.address === b.address &&
    a.weight === b.weight &&
    a.maxFails === b.maxFails &&
    a.failTimeoutMs === b.failTimeoutMs &&
    a.down === b.down &&
    a.backup === b.backup &&
    a.maxConns === b.maxConns &&
    a.slowStartMs === b.slowStartMs &&
    a.drain === b.drain
  );
}
