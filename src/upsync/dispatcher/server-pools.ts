import { buildConnector, Pool } from 'undici';
import { parseAddress } from '../../upstream/address.ts';
import { finishOnGoaway } from './h2-goaway.ts';

/** Options for the connection pool of each server; undici's own, less what the dispatcher decides itself. */
export type PoolOptions = Omit<Pool.Options, 'connect' | 'factory' | 'socketPath'> & {
  /** TLS and socket options of undici's connector. */
  readonly connect?: buildConnector.BuildOptions;
};

type PoolEvent = 'connect' | 'disconnect' | 'connectionError' | 'drain';
const POOL_EVENTS: readonly PoolEvent[] = ['connect', 'disconnect', 'connectionError', 'drain'];

/**
 * The connection pools of one server: one per origin that callers use, nearly always a single one. A pool keeps the caller's
 * origin, so `Host` and the TLS server name are those of the URL, and only the connection goes to the server.
 */
export class ServerPools {
  readonly address: string;
  readonly #options: PoolOptions;
  readonly #connect: buildConnector.connector;
  readonly #pools = new Map<string, Pool>();
  /** Those that get nothing new, and end with what they have. */
  readonly #leaving = new Map<Pool, Promise<void>>();
  readonly #emit: (event: PoolEvent, args: readonly unknown[]) => void;
  #lastOrigin: unknown;
  #lastPool: Pool | undefined;

  constructor(
    address: string,
    options: PoolOptions,
    emit: (event: PoolEvent, args: readonly unknown[]) => void,
  ) {
    this.address = address;
    this.#options = options;
    this.#connect = connectorTo(address, options);
    this.#emit = emit;
  }

  /** The pool for requests to `origin` at this server. */
  pool(origin: string | URL): Pool {
    if (origin === this.#lastOrigin && this.#lastPool !== undefined) return this.#lastPool;
    const key = typeof origin === 'string' ? origin : origin.origin;
    const pool = this.#pools.get(key) ?? this.#open(key);
    this.#lastOrigin = origin;
    this.#lastPool = pool;
    return pool;
  }

  /** Lets requests under way end, then closes the connections. */
  async close(): Promise<void> {
    for (const [origin, pool] of this.#pools) this.#leave(origin, pool);
    await Promise.all(this.#leaving.values());
  }

  /** Ends requests under way with the error. */
  async destroy(error: Error | null): Promise<void> {
    const pools = [...this.#pools.values(), ...this.#leaving.keys()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy(error)));
  }

  #open(origin: string): Pool {
    const pool = new Pool(origin, { ...this.#options, connect: this.#connect });
    for (const event of POOL_EVENTS)
      pool.on(event as 'drain', (...args: unknown[]) => this.#emit(event, args));
    if (this.#options.allowH2 === true)
      pool.on('connect', (_origin, targets) =>
        finishOnGoaway(targets.at(-1)!, () => this.#leave(origin, pool)),
      );
    this.#pools.set(origin, pool);
    return pool;
  }

  #leave(origin: string, pool: Pool): void {
    if (this.#pools.get(origin) !== pool) return;
    this.#pools.delete(origin);
    this.#lastPool = undefined;
    this.#leaving.set(
      pool,
      pool.close().finally(() => this.#leaving.delete(pool)),
    );
  }
}

/** A pool that is given a connector leaves to it those of its options that are about connecting. */
function connectorTo(address: string, options: PoolOptions): buildConnector.connector {
  const { kind, host, port } = parseAddress(address);
  const { allowH2, connectTimeout, maxCachedSessions, autoSelectFamily, autoSelectFamilyAttemptTimeout } =
    options;
  const given = {
    ...{ allowH2, timeout: connectTimeout, maxCachedSessions },
    ...{ autoSelectFamily, autoSelectFamilyAttemptTimeout },
  };
  const common: buildConnector.BuildOptions = {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    ...options.connect,
  };
  if (kind === 'unix') return buildConnector({ ...common, socketPath: host });
  const base = buildConnector(common);
  return (wanted, callback) =>
    base(
      { ...wanted, servername: wanted.servername ?? wanted.hostname, hostname: host, port: String(port) },
      callback,
    );
}
