import type { RedisOptions } from 'ioredis';
import { connect as netConnect, Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { errorText, UpsyncError } from '../upstream/errors.ts';
import { type Logger, SILENT } from '../upstream/logger.ts';
import { candidates, chooseServer, RecentFailures, type ResourceRole } from './connect/choose.ts';
import { isReachable, PROBE_MS } from './connect/connect.ts';
import { MovingConnection } from './connect/moving-connection.ts';
import { ReaderHome } from './connect/reader-home.ts';
import type { Resolution, ResolvedServer, Resolver } from './resolution.ts';

export interface RedisConnectorOptions {
  /**
   * `writer`: the best server of the ranking, the same for all. `reader`: one of the servers, by weight; many readers spread as
   * the ranking says. @default 'writer'
   */
  readonly role?: ResourceRole;
  /** How long a connect waits for a server to be known before it counts as failed. Milliseconds. @default 5000 */
  readonly waitMs?: number;
  /** A server that could not be reached is passed over for this long. Milliseconds. @default 5000 */
  readonly avoidMs?: number;
  /** A client that has to move gets this long to finish what is under way. Milliseconds. @default 1000 */
  readonly moveGraceMs?: number;
  /** @default Math.random */
  readonly random?: () => number;
  /** @default SILENT */
  readonly logger?: Logger;
}

/** What ioredis takes as its `Connector` option. */
export type RedisConnectorClass = NonNullable<RedisOptions['Connector']>;

const AVOID_MS = 5000;
const CLOSED = 'Connection is closed.';

/**
 * Lets an ioredis client live on a name: it connects to a live server, moves when that server leaves the ranking or traffic is
 * switched to another IDC, and keeps commands in its offline queue meanwhile.
 *
 * ```ts
 * const redis = new Redis({ Connector: redisConnector(resolver, 'rs.a.6379') });
 * const reader = new Redis({ Connector: redisConnector(resolver, 'rs.a.6379', { role: 'reader' }) });
 * ```
 *
 * A move waits for a moment without traffic, at most `moveGraceMs`; commands that are then still without a reply are sent again
 * by ioredis unless `autoResendUnfulfilledCommands` is off. ioredis itself is not loaded by this file.
 */
export function redisConnector(
  resolver: Resolver,
  name: string,
  options: RedisConnectorOptions = {},
): RedisConnectorClass {
  // Shared by all clients with this connector: what one could not reach, the next need not try.
  const failures = new RecentFailures(options.avoidMs ?? AVOID_MS);
  class NameConnector extends Connector {
    constructor(redis: unknown) {
      super(resolver, name, options, failures, redis as RedisOptions);
    }
  }
  // ioredis declares an abstract class with private members, so that only its own subclasses fit by type.
  return NameConnector as unknown as RedisConnectorClass;
}

/** Start nodes for `new Redis.Cluster(nodes)`: the servers of a name, best first. */
export async function clusterNodes(
  resolver: Resolver,
  name: string,
  options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
): Promise<{ host: string; port: number }[]> {
  const resolution = await resolver.ready(name, options);
  return candidates(resolution, 'writer', Math.random).map(({ host, port }) => ({ host, port }));
}

class Connector {
  /** The failure behind a stream that was dead from the start; ioredis reads it. */
  firstError: Error | undefined;
  readonly #resolver: Resolver;
  readonly #name: string;
  readonly #options: RedisConnectorOptions;
  readonly #failures: RecentFailures;
  readonly #redis: RedisOptions;
  readonly #home: ReaderHome;
  #attempt: AbortController | undefined;
  #current: MovingConnection | undefined;

  constructor(
    resolver: Resolver,
    name: string,
    options: RedisConnectorOptions,
    failures: RecentFailures,
    redis: RedisOptions,
  ) {
    this.#resolver = resolver;
    this.#name = name;
    this.#options = options;
    this.#failures = failures;
    this.#redis = redis;
    this.#home = new ReaderHome(options.random ?? Math.random);
  }

  /** Part of ioredis's contract: called with the server's INFO; any server will do. */
  check(): boolean {
    return true;
  }

  /** Part of ioredis's contract. A rejection would end the client for good, so failures come as a dead stream instead. */
  async connect(): Promise<Socket> {
    const attempt = (this.#attempt = new AbortController());
    this.firstError = undefined;
    let server: ResolvedServer | undefined;
    try {
      server = await this.#choose(attempt.signal);
    } catch (error) {
      if (attempt.signal.aborted) throw new Error(CLOSED, { cause: error });
      this.firstError = error instanceof Error ? error : new Error(errorText(error));
    }
    if (attempt.signal.aborted) throw new Error(CLOSED);
    if (server === undefined) return deadStream();
    const connection = new MovingConnection(server, this.#open(server), {
      resolver: this.#resolver,
      name: this.#name,
      role: this.#role,
      graceMs: this.#options.moveGraceMs ?? 1000,
      avoidMs: this.#options.avoidMs ?? AVOID_MS,
      random: this.#options.random ?? Math.random,
      failures: this.#failures,
      logger: this.#options.logger ?? SILENT,
      home: this.#home,
    });
    connection.stream.once('error', (error) => (this.firstError = error));
    this.#current = connection;
    return connection.stream;
  }

  /** Part of ioredis's contract: ends the stream, by force after `disconnectTimeout`. */
  disconnect(): void {
    this.#attempt?.abort();
    this.#current?.end(this.#redis.disconnectTimeout ?? 2000);
  }

  readonly #hasFailed = (address: string): boolean => this.#failures.has(address, performance.now());

  get #role(): ResourceRole {
    return this.#options.role ?? 'writer';
  }

  async #choose(signal: AbortSignal): Promise<ResolvedServer> {
    const { waitMs = 5000 } = this.#options;
    const end = performance.now() + waitMs;
    const first = await this.#pick(await this.#resolver.ready(this.#name, { timeoutMs: waitMs, signal }));
    if (first !== undefined) return first;
    const leftMs = Math.max(1, Math.round(end - performance.now()));
    const bound = AbortSignal.any([signal, AbortSignal.timeout(leftMs)]);
    for await (const resolution of this.#resolver.changes(this.#name, bound)) {
      const server = await this.#pick(resolution);
      if (server !== undefined) return server;
    }
    throw new UpsyncError(
      'NO_SERVER',
      `${this.#name} has had no server that takes traffic for ${waitMs} ms; it is tried again`,
    );
  }

  // After a failure each choice is tried first: ioredis waits longer than failures are remembered before it tries again.
  async #pick(resolution: Resolution): Promise<ResolvedServer | undefined> {
    const { random = Math.random } = this.#options;
    for (;;) {
      const home = this.#role === 'reader' ? this.#home.in(resolution) : undefined;
      const server =
        home !== undefined && !this.#hasFailed(home.address)
          ? home
          : chooseServer(resolution, this.#role, this.#hasFailed, random);
      if (server === undefined || !this.#failures.isTroubled || this.#hasFailed(server.address))
        return server;
      if (await isReachable(server, PROBE_MS)) return server;
      this.#failures.add(server.address, performance.now());
    }
  }

  #open({ host, port }: ResolvedServer): Socket {
    const { tls } = this.#redis;
    return tls ? tlsConnect({ ...tls, host, port }) : netConnect({ host, port });
  }
}

function deadStream(): Socket {
  const stream = new Socket();
  stream.destroy();
  return stream;
}
