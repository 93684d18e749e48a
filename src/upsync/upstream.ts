import { openSource } from '../discovery/open.ts';
import type { Source, SourceOptions } from '../discovery/source.ts';
import { errorText, UpsyncError } from '../upstream/errors.ts';
import { type Logger, SILENT } from '../upstream/logger.ts';
import type { Server } from '../upstream/server.ts';
import type { Snapshot } from '../upstream/snapshot.ts';
import { parseUpsyncDirective, SEED_PER_WORKER } from './directives.ts';
import { UpsyncDispatcher, type DispatcherOptions } from './dispatcher/upsync-dispatcher.ts';
import { follow, type FollowOptions } from './follow.ts';
import { Latest } from './latest.ts';

export interface UpstreamOptions extends Omit<DispatcherOptions, 'upstream' | 'servers'> {
  /** Name for logs, errors and events. */
  readonly name: string;
  /**
   * Where the list comes from: an `upsync` directive as in nginx.conf, its typed options, or a source of your own.
   * @example '127.0.0.1:8500/v1/kv/upstreams/api/ upsync_type=consul'
   */
  readonly source: string | SourceOptions | Source;
  /** File that keeps the last good list, so that a start with the registry down works. @default none */
  readonly dump?: string;
  /** The list to begin with when there is no dump. @default none */
  readonly initial?: readonly Server[];
  /** What is not believed. @default an empty list; a directive's `allow_empty=on` changes that */
  readonly guard?: FollowOptions['guard'];
  /** Ramp of servers whose registry entry names none. Milliseconds. @default the directive's `slow_start=`, else 0 */
  readonly slowStartMs?: number;
  /** @default nothing is logged */
  readonly logger?: Logger;
}

/** An upstream that follows its registry inside this process. */
export interface Upstream extends AsyncDisposable {
  readonly name: string;
  /** For `fetch`, `request` and the like; see {@link UpsyncDispatcher}. */
  readonly dispatcher: UpsyncDispatcher;
  /** The list in force; undefined before the first one. */
  readonly snapshot: Snapshot | undefined;
  /**
   * Resolves with the list in force as soon as there is one with a server in it.
   * @throws {UpsyncError} UPSTREAM_NOT_READY when there is none within `timeoutMs` (default 10000), or after `close()`.
   */
  ready(timeoutMs?: number): Promise<Snapshot>;
  /** The list in force, then each newer one; a slow reader sees the newest. */
  snapshots(signal?: AbortSignal): AsyncIterable<Snapshot>;
  /** Stops following, lets requests under way end, and closes the connections. */
  close(): Promise<void>;
}

const READY_TIMEOUT_MS = 10_000;

/**
 * Follows an upstream and gives a dispatcher that balances over it. The registry may be down: the dump, else `initial`, is
 * used until it answers, and the last good list after that.
 * @throws {UpsyncError} BAD_DIRECTIVE when `source` is a text that is no `upsync` directive.
 *
 * @example
 * await using api = createUpstream({ name: 'api', source: '127.0.0.1:8500/v1/kv/upstreams/api/ upsync_type=consul' });
 * await api.ready();
 * const response = await fetch('http://api/users', { dispatcher: api.dispatcher });
 */
export function createUpstream(options: UpstreamOptions): Upstream {
  return new FollowedUpstream(options);
}

class FollowedUpstream implements Upstream {
  readonly name: string;
  readonly dispatcher: UpsyncDispatcher;
  readonly #lists = new Latest<Snapshot>();
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;

  constructor(options: UpstreamOptions) {
    this.name = options.name;
    const { source, allowEmpty, slowStartMs, balancer } = sourceOf(options.source);
    this.dispatcher = new UpsyncDispatcher({
      ...options,
      upstream: options.name,
      balancer: { ...balancer, ...options.balancer },
    });
    this.#following = this.#follow(source, {
      ...options,
      slowStartMs: options.slowStartMs ?? slowStartMs,
      guard: { allowEmpty, ...options.guard },
    });
  }

  get snapshot(): Snapshot | undefined {
    return this.#lists.value;
  }

  async ready(timeoutMs: number = READY_TIMEOUT_MS): Promise<Snapshot> {
    const bound = AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#stop.signal]);
    for await (const snapshot of this.#lists.values(bound)) if (snapshot.servers.length > 0) return snapshot;
    const why = this.#stop.signal.aborted
      ? 'it was closed'
      : `none came within ${timeoutMs} ms; it is still being followed`;
    throw new UpsyncError('UPSTREAM_NOT_READY', `upstream "${this.name}" has no server: ${why}`);
  }

  snapshots(signal?: AbortSignal): AsyncIterable<Snapshot> {
    return this.#lists.values(signal);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#following;
    await this.dispatcher.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #follow(source: Source, options: UpstreamOptions): Promise<void> {
    const { name, logger = SILENT, balancer } = options;
    const method = balancer?.method;
    try {
      const lists = follow(source, {
        ...options,
        upstream: name,
        signal: this.#stop.signal,
        ...(method && { method }),
      });
      for await (const snapshot of lists) {
        await this.dispatcher.apply(snapshot);
        this.#lists.set(snapshot);
      }
    } catch (error) {
      logger.error({ upstream: name, error: errorText(error) }, 'upstream_lost');
    } finally {
      this.#lists.end();
    }
  }
}

interface Given {
  readonly source: Source;
  readonly allowEmpty: boolean;
  readonly slowStartMs: number;
  readonly balancer: { readonly seed?: number };
}

function sourceOf(given: UpstreamOptions['source']): Given {
  if (typeof given !== 'string') {
    return {
      source: 'lists' in given ? given : openSource(given),
      allowEmpty: false,
      slowStartMs: 0,
      balancer: {},
    };
  }
  const words = given
    .trim()
    .replace(/^upsync\s+/, '')
    .replace(/\s*;$/, '')
    .split(/\s+/);
  const place = { file: 'source', line: 1, folder: process.cwd() };
  const { source, allowEmpty, slowStartMs, seed } = parseUpsyncDirective(words, place);
  const balancer = seed === SEED_PER_WORKER ? {} : { seed };
  return { source: openSource(source), allowEmpty, slowStartMs, balancer };
}
