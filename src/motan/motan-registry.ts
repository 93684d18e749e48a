import { UpsyncError } from '../upstream/errors.ts';
import { sleep } from '../discovery/sleep.ts';
import { type Logger, SILENT } from '../upstream/logger.ts';
import { FeedPool } from './feed.ts';
import { findLocalIp } from './local-ip.ts';
import type { HoldOptions } from './members.ts';
import { NameWatch } from './name-watch.ts';
import { type CommandQuery, type NameWatchContext, pendingError } from './watched-name.ts';
import type { ProbeOptions } from './probe.ts';
import type { ProviderSource, ValueSource } from './provider.ts';
import type { Resolution, Subscription } from './resolution.ts';
import { serviceNameOf } from './service.ts';
import type { SpillOptions } from './spill.ts';
import type { RegistryQuery } from './topology.ts';
import { type MotanUrl, motanParameter } from './url.ts';

export interface MotanRegistryOptions {
  /** Opens the providers of a group's service; `consulSources` gives one. */
  readonly providers: (query: RegistryQuery) => ProviderSource;
  /** Opens the command text of a group; without it commands are not obeyed. */
  readonly commands?: ((query: CommandQuery) => ValueSource<string>) | undefined;
  readonly hold?: HoldOptions;
  readonly spill?: SpillOptions;
  /** How servers are tried directly while their registry is silent. */
  readonly probing?: ProbeOptions;
  /** Address of this host for route rules. @default findLocalIp() */
  readonly localIp?: string;
  /** @default SILENT */
  readonly logger?: Logger;
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number;
}

/**
 * Finds Motan providers as a Motan client does: those of the consumer's group that can serve it, with the group's commands
 * obeyed. In its resolutions an IDC is a group. Every consumer's view is its own, by group, protocol and path, so that several
 * groups never overwrite each other.
 */
export interface MotanRegistry {
  /** Tells `listener` the providers for a consumer, now and after each change of them or of the commands. */
  subscribe(consumer: MotanUrl, listener: (resolution: Resolution) => void): Subscription;
  /** The providers for a consumer, once. Rejects with PENDING after `timeoutMs` (default 10000) without any answer. */
  lookup(consumer: MotanUrl, options?: { readonly timeoutMs?: number }): Promise<Resolution>;
  close(): Promise<void>;
}

const LOOKUP_TIMEOUT_MS = 10_000;
const SETTLE_MS = 1000;
const TICK_MS = 5000;

/** Opens the consumer's side of a Motan registry. */
export function createMotanRegistry(options: MotanRegistryOptions): MotanRegistry {
  return new GroupRegistry(options);
}

class GroupRegistry implements MotanRegistry {
  readonly #context: NameWatchContext;
  readonly #watches = new Set<NameWatch>();
  readonly #closed = new AbortController();
  readonly #ticker: NodeJS.Timeout;

  constructor(options: MotanRegistryOptions) {
    const { logger = SILENT, now = Date.now } = options;
    const feedOptions = { logger, now };
    this.#context = {
      feeds: new FeedPool(options.providers, feedOptions),
      commands: options.commands && new FeedPool(options.commands, feedOptions),
      hold: options.hold ?? {},
      spill: options.spill ?? {},
      probing: options.probing ?? {},
      localIp: options.localIp ?? findLocalIp(),
      snapshotDir: undefined,
      settleMs: SETTLE_MS,
      logger,
      now,
    };
    this.#ticker = setInterval(() => {
      for (const watch of this.#watches) if (watch.current.state !== 'live') watch.refresh();
    }, TICK_MS);
    this.#ticker.unref();
  }

  subscribe(consumer: MotanUrl, listener: (resolution: Resolution) => void): Subscription {
    const watch = this.#open(consumer);
    watch.subscribe(listener);
    return { unsubscribe: () => this.#drop(watch) };
  }

  async lookup(consumer: MotanUrl, options: { readonly timeoutMs?: number } = {}): Promise<Resolution> {
    const { timeoutMs = LOOKUP_TIMEOUT_MS } = options;
    const watch = this.#open(consumer);
    const waiting = new AbortController();
    const stop = (): void => waiting.abort();
    this.#closed.signal.addEventListener('abort', stop, { once: true });
    try {
      await Promise.race([watch.settled, sleep(timeoutMs, waiting.signal)]);
      if (watch.current.state === 'pending')
        throw pendingError(watch.name.text, `after ${timeoutMs} ms`, watch.lastError);
      return watch.current;
    } finally {
      stop();
      this.#closed.signal.removeEventListener('abort', stop);
      this.#drop(watch);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#ticker);
    this.#closed.abort();
    await Promise.all([...this.#watches].map((watch) => watch.close()));
    this.#watches.clear();
  }

  #open(consumer: MotanUrl): NameWatch {
    const group = motanParameter(consumer, 'group');
    const text = `${consumer.protocol}://${group}/${consumer.path}`;
    if (this.#closed.signal.aborted)
      throw new UpsyncError('CLOSED', `the registry is closed; ${text} is not looked up`);
    const query: RegistryQuery = { service: serviceNameOf(group), group, consumer, stale: false };
    const places = [{ idc: group, capacityFactor: 1, query }];
    const watch = new NameWatch({ text, places, plan: () => undefined }, this.#context);
    this.#watches.add(watch);
    return watch;
  }

  #drop(watch: NameWatch): void {
    this.#watches.delete(watch);
    void watch.close();
  }
}
