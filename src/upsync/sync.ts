import { openSource, openSources } from '../discovery/open.ts';
import type { Source, SourceOptions } from '../discovery/source.ts';
import { UpsyncError } from '../upstream/errors.ts';
import { type Logger, SILENT } from '../upstream/logger.ts';
import type { Snapshot } from '../upstream/snapshot.ts';
import { ChangeFeed } from './change-feed.ts';
import { Delivery, type DeliveryOptions } from './deliver.ts';
import { hostNames } from './expand-names.ts';
import { Follower } from './follower.ts';
import type { GuardOptions } from './guard.ts';
import { NameBook } from './name-book.ts';
import { type ResolveName, systemResolver } from './resolve-names.ts';
import { runFollower } from './run-follower.ts';
import { startList } from './start-list.ts';
import { DumpFileTarget } from './targets/dump-file.ts';
import type { Target } from './target.ts';
import type { UpstreamPlan } from './upstream-plan.ts';
import type { UpstreamStatus } from './upstream-status.ts';

export interface SyncOptions {
  /** What to keep in step; names must differ. */
  readonly plans: readonly UpstreamPlan[];
  /** Get every list, the first one from dump or configuration included, host names as the registry wrote them. */
  readonly targets?: readonly Target[];
  /**
   * Are nginx: get IP addresses only, and lists of the registry only. nginx starts with the dump or the configuration by
   * itself, and may have a newer list from before this process started.
   */
  readonly nginxTargets?: readonly Target[];
  /** Opens one source per entry, in order. @default openSources */
  readonly openSources?: (all: readonly SourceOptions[]) => readonly Source[];
  /** @default systemResolver() */
  readonly resolveName?: ResolveName;
  /** The mass removal guard, for all upstreams. @default off */
  readonly guard?: Pick<GuardOptions, 'minKeep' | 'holdMs'>;
  /** @default nothing is logged */
  readonly logger?: Logger;
  /** 0 up to, not including, 1; spreads retries. @default Math.random */
  readonly random?: () => number;
  /** Monotonic milliseconds. @default performance.now */
  readonly now?: () => number;
}

/** Keeps upstreams in step with their registries until it is closed. Safe to use from one place only. */
export interface Sync {
  /** Resolves when every upstream has its first list and is being followed. A registry that is down does not delay it. */
  start(): Promise<void>;
  /** Goes on with other upstreams; those whose plan is the same are not touched. */
  update(plans: readonly UpstreamPlan[]): Promise<void>;
  status(): readonly UpstreamStatus[];
  /**
   * Resolves with the first list of the registry that is in use.
   * @throws {UpsyncError} UNKNOWN_UPSTREAM or SYNC_CLOSED.
   */
  ready(upstream: string): Promise<Snapshot>;
  /** Lists that change from now on, until the signal aborts or `close()`; of each upstream the newest. */
  changes(signal?: AbortSignal): AsyncIterable<Snapshot>;
  /** Ends everything and closes the targets; what is under way gets `graceMs`. Afterwards nothing happens any more. */
  close(graceMs?: number): Promise<void>;
}

interface Running {
  plan: UpstreamPlan;
  readonly follower: Follower;
  readonly stop: AbortController;
  readonly done: Promise<unknown>;
}

/** Dump files read at the same time at the start. */
const STARTS_AT_ONCE = 64;

/** Makes a {@link Sync} out of plans and targets. Nothing happens before `start()`. */
export function createSync(options: SyncOptions): Sync {
  return new RegistrySync(options);
}

class RegistrySync implements Sync {
  readonly #options: SyncOptions;
  readonly #logger: Logger;
  readonly #names: NameBook;
  readonly #feed = new ChangeFeed();
  readonly #running = new Map<string, Running>();
  /** Last version of upstreams that were stopped: a target must never see one version with two lists. */
  readonly #versions = new Map<string, number>();
  readonly #plain: readonly Delivery[];
  readonly #nginx: readonly Delivery[];
  readonly #dumps: Delivery;
  #plans: readonly UpstreamPlan[];
  #dumpPaths: ReadonlyMap<string, string> = new Map();
  #changing: Promise<void> = Promise.resolve();
  #startedAt = Date.now();
  #closed = false;

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#plans = options.plans;
    this.#logger = options.logger ?? SILENT;
    const random = options.random && { random: options.random };
    this.#names = new NameBook({
      resolve: options.resolveName ?? systemResolver(),
      logger: this.#logger,
      ...random,
    });
    const delivery: DeliveryOptions = { logger: this.#logger, ...random };
    this.#plain = (options.targets ?? []).map((target) => new Delivery(target, delivery));
    this.#nginx = (options.nginxTargets ?? []).map((target) => new Delivery(target, delivery));
    this.#dumps = new Delivery(new DumpFileTarget((name) => this.#dumpPaths.get(name)), delivery);
  }

  start(): Promise<void> {
    this.#startedAt = Date.now();
    return this.update(this.#plans);
  }

  update(plans: readonly UpstreamPlan[]): Promise<void> {
    this.#changing = this.#changing.catch(() => undefined).then(() => this.#change(plans));
    return this.#changing;
  }

  status(): readonly UpstreamStatus[] {
    return this.#plans.flatMap(({ name }) => {
      const running = this.#running.get(name);
      return running ? [this.#statusOf(running)] : [];
    });
  }

  async ready(upstream: string): Promise<Snapshot> {
    await this.#changing;
    const running = this.#running.get(upstream);
    if (!running) throw new UpsyncError('UNKNOWN_UPSTREAM', `there is no upstream "${upstream}"`);
    for await (const { written } of running.follower.emissions.values(running.stop.signal))
      if (written.origin.kind === 'registry') return written;
    throw new UpsyncError('SYNC_CLOSED', `"${upstream}" is no longer followed`);
  }

  changes(signal?: AbortSignal): AsyncIterable<Snapshot> {
    return this.#feed.read(signal);
  }

  async close(graceMs = 0): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const all = [...this.#running.keys()].map((name) => this.#end(name));
    await Promise.all([...all, this.#changing]);
    this.#names.close();
    this.#feed.end();
    const deliveries = [...this.#plain, ...this.#nginx, this.#dumps];
    await Promise.all(deliveries.map((delivery) => delivery.close(graceMs)));
    await Promise.all(deliveries.map((delivery) => delivery.target.close()));
  }

  async #change(plans: readonly UpstreamPlan[]): Promise<void> {
    if (this.#closed) return;
    this.#plans = plans;
    this.#dumpPaths = new Map(plans.map((plan) => [plan.name, plan.dumpPath]));
    const wanted = new Map(plans.map((plan) => [plan.name, plan]));
    const ended: Promise<unknown>[] = [];
    for (const [name, running] of this.#running) {
      const plan = wanted.get(name);
      if (plan && samePlan(plan, running)) running.plan = plan;
      else {
        ended.push(this.#end(name));
        if (!plan)
          for (const delivery of [...this.#plain, ...this.#nginx, this.#dumps]) delivery.remove(name);
      }
    }
    await Promise.all(ended);
    const fresh = plans.filter((plan) => !this.#running.has(plan.name));
    const sources = this.#open(fresh);
    const queue = [...fresh.entries()];
    const lane = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift())
        await this.#begin(next[1], sources[next[0]]!);
    };
    await Promise.all(Array.from({ length: STARTS_AT_ONCE }, lane));
  }

  // One upstream whose source cannot be opened must not keep the others from theirs.
  #open(plans: readonly UpstreamPlan[]): readonly Source[] {
    const open = this.#options.openSources ?? openSources;
    try {
      return open(plans.map((plan) => plan.source));
    } catch {
      return plans.map(({ source, name }) => {
        try {
          return this.#options.openSources ? open([source])[0]! : openSource(source);
        } catch (error) {
          return { description: `${source.type} of ${name}`, lists: () => brokenSource(error) };
        }
      });
    }
  }

  async #begin(plan: UpstreamPlan, source: Source): Promise<void> {
    const { name, where, source: from } = plan;
    const initial = await startList(name, plan.dumpPath, { servers: plan.initial, where }, this.#logger);
    if (this.#closed) return;
    const { guard, now, random } = this.#options;
    const last = this.#versions.get(name);
    const follower = new Follower({
      upstream: name,
      description: source.description,
      method: plan.balancer.method,
      guard: { ...guard, allowEmpty: plan.allowEmpty },
      initial,
      slowStartMs: plan.slowStartMs ?? 0,
      names: this.#names,
      logger: this.#logger,
      ...(last !== undefined && { firstVersion: last + 1 }),
      ...(now && { now }),
    });
    const stop = new AbortController();
    this.#handOn(follower);
    const done = runFollower(follower, source, {
      signal: stop.signal,
      logger: this.#logger,
      ...(random && { random }),
    });
    this.#running.set(name, { plan, follower, stop, done });
    this.#logger.debug(
      { upstream: name, type: from.type, servers: initial.servers.length },
      'upstream_followed',
    );
  }

  #handOn(follower: Follower): void {
    follower.emissions.each(({ written, resolved }) => {
      for (const delivery of this.#plain) delivery.put(written);
      const fromRegistry = written.origin.kind === 'registry';
      // Workers cannot use names, so a first list with names is the exception that nginx does get.
      const named = hostNames(written.servers).length > 0;
      if (resolved && (fromRegistry || named)) for (const delivery of this.#nginx) delivery.put(resolved);
      if (fromRegistry) this.#dumps.put(written);
      this.#feed.publish(written);
    });
  }

  async #end(name: string): Promise<void> {
    const running = this.#running.get(name);
    if (!running) return;
    this.#running.delete(name);
    this.#versions.set(name, running.follower.snapshot.version);
    running.stop.abort();
    running.follower.close();
    await running.done;
  }

  #statusOf({ plan, follower }: Running): UpstreamStatus {
    const { snapshot, ...known } = follower.status;
    const { lastError, lastSuccessAt } = known;
    const silentSince = lastError?.since ?? (lastSuccessAt === undefined ? this.#startedAt : undefined);
    return {
      name: plan.name,
      source: follower.description,
      where: plan.where,
      version: snapshot.version,
      servers: snapshot.servers,
      origin: snapshot.origin,
      ...known,
      ageMs: silentSince === undefined ? 0 : Math.max(0, Date.now() - silentSince),
      targets: [...this.#nginx, ...this.#plain, this.#dumps].map((delivery) => delivery.status(plan.name)),
    };
  }
}

/** Whether an upstream may go on as it runs. */
function samePlan(plan: UpstreamPlan, { plan: old, follower }: Running): boolean {
  const matters = ({ source, allowEmpty, dumpPath, balancer, slowStartMs }: UpstreamPlan): string =>
    JSON.stringify([source, allowEmpty, dumpPath, balancer, slowStartMs]);
  if (matters(plan) !== matters(old)) return false;
  // Lines of the configuration count only while there is nothing better.
  const isStatic = follower.snapshot.origin.kind === 'static';
  return !isStatic || JSON.stringify(plan.initial) === JSON.stringify(old.initial);
}

async function* brokenSource(error: unknown): AsyncGenerator<never> {
  throw error;
}
