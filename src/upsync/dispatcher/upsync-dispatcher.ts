import type { EventEmitter } from 'node:events';
import { Dispatcher, errors } from 'undici';
import type { Balancer, BalancerOptions } from '../../balancer/balancer.ts';
import { createBalancer } from '../../balancer/create.ts';
import { diffServers } from '../../upstream/diff.ts';
import type { Server } from '../../upstream/server.ts';
import type { Snapshot } from '../../upstream/snapshot.ts';
import type { ApplyReport, Target } from '../target.ts';
import type { Attempt, AttemptHost } from './attempt.ts';
import { type DispatcherListMessage, listChannel } from './channels.ts';
import { checkOptions, type DispatcherOptions } from './dispatcher-options.ts';
import { LegacyAttempt, type LegacyHandler } from './legacy-attempt.ts';
import { ModernAttempt } from './modern-attempt.ts';
import { DEFAULT_NEXT_UPSTREAM, NextUpstream } from './next-upstream.ts';
import { ServerPools } from './server-pools.ts';

export type { DispatcherOptions } from './dispatcher-options.ts';

const KEYED = new Set(['hash', 'hash_consistent', 'bounded_hash', 'ip_hash']);
const NO_OPTIONS: Dispatcher.DispatchOptions = { path: '/', method: 'GET' };
const NON_ASCII = /[^\0-\x7f]/;

/**
 * An undici dispatcher that follows an upstream: give it to `fetch`, `request`, `stream`, `pipeline` or `compose`, and each
 * request goes to one of the upstream's servers, picked as nginx would, and on to the next one when that fails. New lists come
 * through `apply`; a removed server finishes what it is doing. The URL's host is sent as `Host` and is otherwise unused.
 *
 * @example
 * const dispatcher = new UpsyncDispatcher({ upstream: 'api', servers: [createServer('10.0.0.1:80')] });
 * await fetch('http://api/users', { dispatcher });
 */
export class UpsyncDispatcher extends Dispatcher implements Target {
  readonly description: string;
  readonly #options: DispatcherOptions;
  readonly #balancing: BalancerOptions;
  readonly #host: AttemptHost & { balancer: Balancer; destroyed: boolean };
  readonly #pools = new Map<string, ServerPools>();
  /** Pools of servers that left the list, and all of them while the dispatcher closes. */
  readonly #leaving = new Map<ServerPools, Promise<void>>();
  readonly #keyOf: ((options: Dispatcher.DispatchOptions) => string) | undefined;
  readonly #defaultOrigin: string;
  #version = 0;
  #closing: Promise<void> | undefined;
  #destroying: Promise<void> | undefined;

  /** @throws {RangeError} for an option out of its range, or a word that is none. */
  constructor(options: DispatcherOptions) {
    super();
    checkOptions(options);
    this.#options = options;
    this.description = `dispatcher ${options.upstream}`;
    this.#defaultOrigin = `http://${options.upstream}`;
    const seed = Math.floor(Math.random() * 0x7fffffff) + 1;
    this.#balancing = { method: 'round_robin', seed, loadFactor: 1.25, ...options.balancer };
    this.#keyOf = KEYED.has(this.#balancing.method) ? (options.key ?? pathOf) : undefined;
    this.#host = {
      upstream: options.upstream,
      nextUpstream: new NextUpstream(options.nextUpstream ?? DEFAULT_NEXT_UPSTREAM),
      maxTries: options.nextUpstreamTries ?? 0,
      nextTimeoutMs: options.nextUpstreamTimeoutMs ?? 0,
      balancer: createBalancer(this.#balancing, options.servers ?? []),
      destroyed: false,
      pickRequest: { now: 0, key: '', tried: [], lastResort: true },
      poolOf: (address, origin) => this.#poolOf(address, origin),
    };
  }

  /** The servers in force, in order. */
  get servers(): readonly Server[] {
    return this.#host.balancer.peers.map((peer) => peer.server);
  }

  /** True once `close` or `destroy` was called. */
  get closed(): boolean {
    return this.#closing !== undefined || this.destroyed;
  }

  get destroyed(): boolean {
    return this.#host.destroyed;
  }

  /** Puts a new list to work for the next request. Connections to servers that stay are kept. */
  apply(snapshot: Snapshot): Promise<ApplyReport> {
    const report = {
      upstream: snapshot.upstream,
      version: snapshot.version,
      workers: [{ pid: process.pid, version: snapshot.version }],
    };
    if (snapshot.version === this.#version) return Promise.resolve(report);
    const before = this.servers;
    this.#host.balancer = createBalancer(this.#balancing, snapshot.servers, this.#host.balancer);
    this.#version = snapshot.version;
    const staying = new Set(snapshot.servers.map((server) => server.address));
    for (const [address, pools] of this.#pools) if (!staying.has(address)) this.#retire(address, pools);
    if (listChannel.hasSubscribers) {
      const message: DispatcherListMessage = { snapshot, ...diffServers(before, snapshot.servers) };
      listChannel.publish(message);
    }
    return Promise.resolve(report);
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    // Callers in JavaScript may give anything; both answers are undici's.
    if (!isObject(handler)) throw new errors.InvalidArgumentError('handler must be an object');
    const attempt = this.#attempt(isObject(options) ? options : NO_OPTIONS, handler);
    if (!this.closed && isObject(options)) return attempt.send();
    if (this.destroyed) attempt.fail(new errors.ClientDestroyedError());
    else if (this.closed) attempt.fail(new errors.ClientClosedError());
    else attempt.fail(new errors.InvalidArgumentError('opts must be an object.'));
    return true;
  }

  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | void {
    this.#closing ??= this.#closeAll();
    return settle(this.#closing, callback);
  }

  override destroy(): Promise<void>;
  override destroy(error: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(first?: Error | null | (() => void), second?: () => void): Promise<void> | void {
    const error = typeof first === 'function' ? null : (first ?? null);
    this.#host.destroyed = true;
    this.#destroying ??= this.#destroyAll(error);
    return settle(this.#destroying, typeof first === 'function' ? first : second);
  }

  #key(options: Dispatcher.DispatchOptions): string {
    if (this.#keyOf === undefined) return '';
    const key = this.#keyOf(options);
    if (this.#balancing.method === 'ip_hash' || !NON_ASCII.test(key)) return key;
    return Buffer.from(key, 'utf8').toString('latin1');
  }

  /** Which of undici's two shapes a handler has is looked at once. */
  #attempt(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): Attempt {
    const key = this.#key(options);
    return isModern(handler)
      ? new ModernAttempt(this.#host, options, key, handler)
      : new LegacyAttempt(this.#host, options, key, handler as LegacyHandler);
  }

  #poolOf(address: string, origin: string | URL | undefined): Dispatcher {
    let pools = this.#pools.get(address);
    if (pools === undefined) {
      pools = new ServerPools(address, this.#options.pool ?? {}, (event, args) => {
        (this as EventEmitter).emit(event, ...args);
      });
      this.#pools.set(address, pools);
    }
    return pools.pool(origin ?? this.#defaultOrigin);
  }

  #retire(address: string, pools: ServerPools): void {
    this.#pools.delete(address);
    this.#leaving.set(
      pools,
      pools.close().finally(() => this.#leaving.delete(pools)),
    );
  }

  async #closeAll(): Promise<void> {
    do {
      for (const [address, pools] of this.#pools) this.#retire(address, pools);
      await Promise.all(this.#leaving.values());
      // A request that failed meanwhile may have gone on to another server.
    } while (this.#pools.size > 0);
  }

  async #destroyAll(error: Error | null): Promise<void> {
    const pools = [...this.#pools.values(), ...this.#leaving.keys()];
    this.#pools.clear();
    await Promise.all(pools.map((each) => each.destroy(error)));
  }
}

function pathOf(options: Dispatcher.DispatchOptions): string {
  return options.path;
}

function settle(promise: Promise<void>, callback: (() => void) | undefined): Promise<void> | void {
  if (callback === undefined) return promise;
  void promise.then(callback, callback);
}

/** Of the newer shape's methods each one is optional; of the older shape's, `onConnect` is not. */
function isModern(handler: object): boolean {
  if ('onRequestStart' in handler) return true;
  if ('onConnect' in handler) return false;
  return ['onResponseStart', 'onResponseEnd', 'onResponseError'].some((name) => name in handler);
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
