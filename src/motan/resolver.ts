import { setMaxListeners } from 'node:events';
import { sleep } from '../discovery/sleep.ts';
import { UpsyncError } from '../upstream/errors.ts';
import { type Logger, SILENT } from '../upstream/logger.ts';
import { FeedPool } from './feed.ts';
import { latestChanges } from './latest.ts';
import { findLocalIp } from './local-ip.ts';
import type { HoldOptions } from './members.ts';
import { parseName, type ResourceName } from './name.ts';
import { NameWatch } from './name-watch.ts';
import type { ProbeOptions } from './probe.ts';
import type { ProviderSource, ValueSource } from './provider.ts';
import type { Resolution, Resolver, Subscription, TrafficPlan } from './resolution.ts';
import { type MeasureRoundTrip, measureByConnecting, steadied } from './round-trip.ts';
import type { SpillOptions } from './spill.ts';
import { type CommandQuery, type NameWatchContext, pendingError } from './watched-name.ts';
import { type Idc, idcOrder, type RegistryQuery, type Topology } from './topology.ts';
import { checkedPlan } from './traffic-plan.ts';

export interface ResolverOptions {
  readonly topology: Topology;
  /** Opens the servers behind a query; `consulSources` gives one. Called once per different query. */
  readonly providers: (query: RegistryQuery) => ProviderSource;
  /** Opens the command text of a Motan group; without it commands are not obeyed. */
  readonly commands?: ((query: CommandQuery) => ValueSource<string>) | undefined;
  /** Folder of the snapshots on disk. @default none are kept */
  readonly snapshotDir?: string | undefined;
  readonly hold?: HoldOptions;
  readonly spill?: SpillOptions;
  /** How servers are tried directly while their registry is silent. */
  readonly probing?: ProbeOptions;
  /** A name nobody uses or subscribes to is watched for this long. Milliseconds. @default 60000 */
  readonly lingerMs?: number;
  /** How long a first answer waits for IDCs that are slow to answer. Milliseconds. @default 1000 */
  readonly settleMs?: number;
  /** Names watched at most; protects against a flood of made-up names. @default 10000 */
  readonly maxNames?: number;
  /** Address of this host for route rules. @default findLocalIp() */
  readonly localIp?: string;
  /** How round trips are measured when the topology orders by them. @default measureByConnecting */
  readonly measure?: MeasureRoundTrip;
  /** How often. Milliseconds. @default 60000 */
  readonly measureEveryMs?: number;
  /** @default SILENT */
  readonly logger?: Logger;
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number;
}

/** Defaults of `ResolverOptions`; those of `hold` and `spill` are `HOLD_DEFAULTS` and `SPILL_DEFAULTS`. */
export const RESOLVER_DEFAULTS = Object.freeze({
  lingerMs: 60_000,
  settleMs: 1000,
  maxNames: 10_000,
  measureEveryMs: 60_000,
  readyTimeoutMs: 10_000,
});

const MAX_TICK_MS = 5000;
const SNAPSHOT_TOUCH_MS = 60_000;
const MEASURED_SERVERS = 3;
const LOOKED_AT = 64;

/** Opens a resolver. Nothing is asked before the first name. */
export function createResolver(options: ResolverOptions): Resolver {
  return new NameResolver(options);
}

class NameResolver implements Resolver {
  readonly local: string;
  readonly #options: ResolverOptions;
  readonly #context: NameWatchContext;
  readonly #maxNames: number;
  /** By every spelling asked for. */
  readonly #bySpelling = new Map<string, NameWatch>();
  readonly #byName = new Map<string, NameWatch>();
  readonly #plans = new Map<string, TrafficPlan>();
  readonly #roundTrips = new Map<string, number>();
  readonly #closed = new AbortController();
  readonly #ticker: NodeJS.Timeout;
  #hand: MapIterator<NameWatch> = this.#byName.values();
  #lastSweep: number;
  #lastTouch: number;

  constructor(options: ResolverOptions) {
    const { topology, now = Date.now, logger = SILENT } = options;
    // Every wait listens to it; many at once are no leak.
    setMaxListeners(0, this.#closed.signal);
    this.local = topology.local;
    this.#options = options;
    this.#maxNames = options.maxNames ?? RESOLVER_DEFAULTS.maxNames;
    const feedOptions = { logger, now };
    this.#context = {
      feeds: new FeedPool(options.providers, feedOptions),
      commands: options.commands && new FeedPool(options.commands, feedOptions),
      hold: options.hold ?? {},
      spill: options.spill ?? {},
      probing: options.probing ?? {},
      localIp: options.localIp ?? findLocalIp(),
      snapshotDir: options.snapshotDir,
      settleMs: options.settleMs ?? RESOLVER_DEFAULTS.settleMs,
      logger,
      now,
    };
    this.#lastSweep = this.#lastTouch = performance.now();
    const lingerMs = options.lingerMs ?? RESOLVER_DEFAULTS.lingerMs;
    this.#ticker = setInterval(() => this.#tick(lingerMs), Math.max(10, Math.min(MAX_TICK_MS, lingerMs)));
    this.#ticker.unref();
    if (topology.order === 'rtt') void this.#measureLoop();
  }

  resolve(name: string): Resolution {
    const watch = this.#bySpelling.get(name) ?? this.#open(name);
    watch.used = true;
    return watch.current;
  }

  async ready(
    name: string,
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Resolution> {
    const { timeoutMs = RESOLVER_DEFAULTS.readyTimeoutMs, signal } = options;
    const watch = this.#bySpelling.get(name) ?? this.#open(name);
    watch.used = true;
    const waiting = new AbortController();
    const stop = (): void => waiting.abort();
    const enders = [signal, this.#closed.signal].filter((one) => one !== undefined);
    for (const ender of enders) ender.addEventListener('abort', stop, { once: true });
    if (enders.some((ender) => ender.aborted)) stop();
    // A subscription, so that the name is not let go while somebody waits for it.
    const hold = watch.subscribe(() => undefined);
    try {
      await Promise.race([watch.settled, sleep(timeoutMs, waiting.signal)]);
      if (watch.current.state !== 'pending') return watch.current;
      throw pendingError(
        watch.name.text,
        waiting.signal.aborted ? 'when the waiting was ended' : `after ${timeoutMs} ms`,
        watch.lastError,
      );
    } finally {
      hold.unsubscribe();
      stop();
      for (const ender of enders) ender.removeEventListener('abort', stop);
    }
  }

  subscribe(name: string, listener: (resolution: Resolution) => void): Subscription {
    const watch = this.#bySpelling.get(name) ?? this.#open(name);
    watch.used = true;
    return watch.subscribe(listener);
  }

  changes(name: string, signal: AbortSignal): AsyncIterable<Resolution> {
    return latestChanges((listener) => this.subscribe(name, listener), signal);
  }

  plan(target: string, plan: TrafficPlan | undefined): void {
    const key =
      target === '*' ? '*' : /\.\d+$/.test(target) ? this.#parse(target).text : target.toLowerCase();
    if (plan === undefined) this.#plans.delete(key);
    else this.#plans.set(key, checkedPlan(plan, this.#options.topology));
    for (const watch of this.#byName.values()) watch.refresh();
  }

  names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  peek(spelling: string): Resolution | undefined {
    return (this.#bySpelling.get(spelling) ?? this.#byName.get(this.#parse(spelling).text))?.current;
  }

  forget(spelling: string): boolean {
    const watch = this.#bySpelling.get(spelling) ?? this.#byName.get(this.#parse(spelling).text);
    if (watch === undefined || watch.hasListeners) return false;
    this.#drop(watch);
    return true;
  }

  async close(): Promise<void> {
    clearInterval(this.#ticker);
    this.#closed.abort();
    const watches = [...this.#byName.values()];
    this.#byName.clear();
    this.#bySpelling.clear();
    await Promise.all(watches.map((watch) => watch.close()));
  }

  #parse(spelling: string): ResourceName {
    return parseName(spelling, this.local);
  }

  #open(spelling: string): NameWatch {
    if (this.#closed.signal.aborted)
      throw new UpsyncError('CLOSED', `the resolver is closed; ${spelling} is not looked up`);
    const name = this.#parse(spelling);
    let watch = this.#byName.get(name.text);
    if (watch === undefined) {
      const order = this.#order(name.idc);
      if (this.#byName.size >= this.#maxNames && !this.#makeRoom())
        throw new UpsyncError(
          'TOO_MANY_NAMES',
          `${name.text} is not looked up: ${this.#maxNames} names are watched already; unused ones are let go after a while`,
        );
      const places = order.map((idc) => ({
        idc: idc.name,
        capacityFactor: idc.capacityFactor,
        query: this.#options.topology.mapping(name, idc),
      }));
      const plan = (): TrafficPlan | undefined =>
        this.#plans.get(name.text) ?? this.#plans.get(name.resource) ?? this.#plans.get('*');
      watch = new NameWatch({ text: name.text, places, plan }, this.#context);
      this.#byName.set(name.text, watch);
      this.#bySpelling.set(name.text, watch);
      watch.spellings.push(name.text);
    }
    // Spellings differ in case only, so a name has few that are really used; others are parsed each time.
    if (spelling !== name.text && this.#bySpelling.size < this.#maxNames * 2) {
      this.#bySpelling.set(spelling, watch);
      watch.spellings.push(spelling);
    }
    return watch;
  }

  #order(own: string): readonly Idc[] {
    return idcOrder(this.#options.topology, own, this.#roundTrips);
  }

  #tick(lingerMs: number): void {
    const now = performance.now();
    const isTouch = now - this.#lastTouch >= SNAPSHOT_TOUCH_MS;
    const isSweep = now - this.#lastSweep >= lingerMs;
    if (isTouch) this.#lastTouch = now;
    if (isSweep) this.#lastSweep = now;
    for (const watch of this.#byName.values()) {
      if (watch.current.state !== 'live') watch.refresh();
      if (isTouch) watch.touchSnapshot();
      if (isSweep && !watch.used && !watch.hasListeners) this.#drop(watch);
      else if (isSweep) watch.used = false;
    }
  }

  // A hand goes round the names: one that was used since the last sweep is passed over, so that what is in use stays. It looks
  // at a few at a time, since whoever makes names up may ask very often.
  #makeRoom(): boolean {
    for (let looked = 0; looked < LOOKED_AT; looked++) {
      let next = this.#hand.next();
      if (next.done === true) {
        this.#hand = this.#byName.values();
        next = this.#hand.next();
      }
      const watch = next.value;
      if (watch === undefined || watch.used || watch.hasListeners) continue;
      this.#drop(watch);
      return true;
    }
    return false;
  }

  #drop(watch: NameWatch): void {
    this.#byName.delete(watch.name.text);
    for (const spelling of watch.spellings) this.#bySpelling.delete(spelling);
    void watch.close();
  }

  async #measureLoop(): Promise<void> {
    const { measure = measureByConnecting, measureEveryMs = RESOLVER_DEFAULTS.measureEveryMs } =
      this.#options;
    const { signal } = this.#closed;
    // The first names need their first answers before there is anything to measure.
    let waitMs = Math.min(measureEveryMs, this.#context.settleMs);
    while (!signal.aborted) {
      await sleep(waitMs, signal);
      if (this.#byName.size > 0) waitMs = measureEveryMs;
      for (const idc of this.#options.topology.idcs.keys()) {
        const servers = this.#serversOf(idc);
        if (signal.aborted || servers.length === 0) continue;
        const taken = steadied(
          this.#roundTrips.get(idc),
          await measure(servers, signal).catch(() => undefined),
        );
        if (taken === undefined) this.#roundTrips.delete(idc);
        else this.#roundTrips.set(idc, taken);
      }
      for (const watch of this.#byName.values())
        watch.reorder(this.#order(watch.name.places[0]!.idc).map((idc) => idc.name));
    }
  }

  #serversOf(idc: string): readonly { host: string; port: number }[] {
    const servers: { host: string; port: number }[] = [];
    for (const watch of this.#byName.values())
      for (const server of watch.current.servers) {
        if (server.idc === idc && server.health === 'passing') servers.push(server);
        if (servers.length >= MEASURED_SERVERS) return servers;
      }
    return servers;
  }
}
