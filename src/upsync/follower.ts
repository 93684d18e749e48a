import type { SourceList } from '../discovery/source.ts';
import { diffServers, sameInOrder } from '../upstream/diff.ts';
import { type RejectedEntry, UpsyncError } from '../upstream/errors.ts';
import type { Server } from '../upstream/server.ts';
import type { Origin, Snapshot } from '../upstream/snapshot.ts';
import { failureChannel, type FailureMessage, listChannel, type ListMessage } from './channels.ts';
import { expandNames, hostNames } from './expand-names.ts';
import type { Emission, FollowerOptions, FollowerStatus } from './follower-contract.ts';
import { type Hold, judgeList } from './guard.ts';
import { Latest } from './latest.ts';
import { orderServers } from './order.ts';

/** How long a new list may wait for the addresses of its host names. Milliseconds. */
const NAMES_WAIT_MS = 1000;

/**
 * Follows one upstream: takes what a watch tells, lets the guard judge it, keeps the order, counts versions, and always
 * holds the last good list. Nothing that fails ever changes that list.
 */
export class Follower {
  readonly emissions = new Latest<Emission>();
  readonly #options: Omit<FollowerOptions, 'initial'>;
  readonly #now: () => number;
  #emission: Emission;
  #list: SourceList | undefined;
  #hold: Hold | undefined;
  #holdTimer: NodeJS.Timeout | undefined;
  #turn = 0;
  /** A new list waits for the addresses of its names; until then the old one must not be looked up again. */
  #waiting = false;
  /** The names book is asked for this upstream. */
  #named = false;
  #index: string | undefined;
  #rejected: readonly RejectedEntry[] = [];
  #refused: FollowerStatus['refused'];
  #lastSuccessAt: number | undefined;
  #lastError: FollowerStatus['lastError'];
  #polls = 0;
  #errors = 0;
  #unresolved: readonly string[] = [];
  #closed = false;

  constructor(options: FollowerOptions) {
    // The first list is not kept once there is another.
    const { initial, ...rest } = options;
    this.#options = rest;
    this.#now = options.now ?? monotonic;
    const { servers, origin } = initial;
    const written: Snapshot = {
      upstream: options.upstream,
      version: options.firstVersion ?? 1,
      servers,
      origin,
    };
    const plain = options.names === undefined || hostNames(servers).length === 0;
    const resolved = { ...written, servers: this.#ramp(servers) };
    this.#emission = { written, resolved: plain ? resolved : undefined };
    this.emissions.set(this.#emission);
    if (!plain) void this.#publish(servers, origin);
  }

  /** Where the list comes from, for logs and pages. */
  get description(): string {
    return this.#options.description;
  }

  get snapshot(): Snapshot {
    return this.#emission.written;
  }

  get status(): FollowerStatus {
    return {
      snapshot: this.snapshot,
      ready: this.snapshot.origin.kind === 'registry',
      index: this.#index,
      rejected: this.#rejected,
      refused: this.#refused,
      lastSuccessAt: this.#lastSuccessAt,
      lastError: this.#lastError,
      polls: this.#polls,
      errors: this.#errors,
      unresolved: this.#unresolved,
    };
  }

  /** A list that differs from the one before. */
  take(list: SourceList): void {
    this.#list = list;
    this.#tellRejected(list.rejected);
    this.#consider();
  }

  /** The registry answered with a list, a new one or the old one; called before `take`. */
  contact(index?: string): void {
    this.#polls++;
    this.#index = index ?? this.#index;
    this.#lastSuccessAt = Date.now();
    if (this.#lastError) this.#options.logger.info(this.#fields(), 'registry_answers_again');
    this.#lastError = undefined;
    if (this.#hold && this.#now() >= this.#hold.releaseAt) this.#consider();
  }

  /** The registry could not be asked; the list stays as it is. */
  fail(error: UpsyncError): void {
    this.#errors++;
    if (this.#lastError?.code !== error.code)
      this.#options.logger.error(
        {
          ...this.#fields(),
          code: error.code,
          error: error.message,
          next: 'the last good list stays in use',
        },
        'fetch_failed',
      );
    const at = Date.now();
    this.#lastError = { code: error.code, message: error.message, at, since: this.#lastError?.since ?? at };
    this.#publishFailure(error);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#holdTimer);
    this.#options.names?.unfollow(this.#options.upstream);
    this.emissions.end();
  }

  #consider(): void {
    const list = this.#list;
    if (!list || this.#closed) return;
    const { kind, source } = this.snapshot.origin;
    const inForce = kind === 'static' ? undefined : this.snapshot.servers;
    const verdict = judgeList(list, inForce, this.#options.guard, this.#hold, this.#now());
    clearTimeout(this.#holdTimer);
    this.#hold = undefined;
    if (verdict.kind === 'accept') this.#refused = undefined;
    else {
      if (this.#refused?.code !== verdict.code) {
        const { code, reason } = verdict;
        this.#options.logger.warn({ ...this.#fields(), code, reason }, 'list_refused');
        this.#publishFailure(new UpsyncError(code, `${this.#options.description}: ${reason}`));
      }
      this.#refused = { code: verdict.code, reason: verdict.reason };
      if (verdict.kind === 'keep') return;
      this.#holdUntil(verdict.hold);
    }
    const index = list.index === undefined ? {} : { index: list.index };
    const origin: Origin = { kind: 'registry', source: this.#options.description, ...index, at: Date.now() };
    const servers = orderServers(this.snapshot.servers, verdict.servers, this.#options.method);
    if (kind !== 'registry')
      this.#options.logger.info({ ...this.#fields(), before: `${kind} ${source}` }, 'registry_in_charge');
    void this.#publish(servers, origin);
  }

  // A held removal counts when its time is over, provided that the registry can still be asked: silence confirms nothing.
  #holdUntil(hold: Hold): void {
    this.#hold = hold;
    this.#holdTimer = setTimeout(
      () => {
        if (!this.#lastError) this.#consider();
      },
      Math.max(0, hold.releaseAt - this.#now()),
    );
    this.#holdTimer.unref();
  }

  async #publish(servers: readonly Server[], origin: Origin): Promise<void> {
    const turn = ++this.#turn;
    const { names, upstream } = this.#options;
    const hosts = names ? hostNames(servers) : [];
    // Asked for lists without names as well, once there were some, so that the old names are forgotten.
    if (names && (hosts.length > 0 || this.#named)) {
      this.#waiting = hosts.length > 0;
      this.#named = hosts.length > 0;
      const known = names.follow(upstream, hosts, () => this.#namesChanged());
      if (hosts.length > 0) await Promise.race([known, unreferencedDelay(NAMES_WAIT_MS)]);
      // Somebody published a newer list while this one waited.
      if (turn !== this.#turn || this.#closed) return;
    }
    this.#waiting = false;
    this.#emit(servers, origin);
  }

  #ramp(servers: readonly Server[]): readonly Server[] {
    const { slowStartMs = 0 } = this.#options;
    if (slowStartMs === 0) return servers;
    return servers.map((server) => (server.slowStartMs > 0 ? server : { ...server, slowStartMs }));
  }

  #namesChanged(): void {
    const { servers, origin } = this.snapshot;
    if (!this.#closed && !this.#waiting) this.#emit(servers, origin);
  }

  #emit(servers: readonly Server[], origin: Origin): void {
    const { names, upstream } = this.#options;
    const before = this.#emission;
    const named = names !== undefined && hostNames(servers).length > 0;
    const expanded = named ? expandNames(servers, (host) => names.addresses(host)) : { servers, missing: [] };
    this.#unresolved = expanded.missing;
    const usable = expanded.servers.length > 0 || servers.length === 0;
    const forNginx = this.#ramp(expanded.servers);
    const same =
      sameInOrder(before.written.servers, servers) &&
      usable === (before.resolved !== undefined) &&
      (!usable || sameInOrder(before.resolved?.servers ?? [], forNginx));
    if (same && before.written.origin.kind === origin.kind) return;
    const version = before.written.version + (same ? 0 : 1);
    const written: Snapshot = { upstream, version, servers, origin };
    this.#emission = { written, resolved: usable ? { ...written, servers: forNginx } : undefined };
    if (!usable)
      this.#options.logger.warn(
        { ...this.#fields(), names: expanded.missing, next: 'the last addresses stay in use' },
        'no_name_resolves',
      );
    if (!same) this.#tellChange(before.written);
    this.emissions.set(this.#emission);
  }

  #tellChange(previous: Snapshot): void {
    const snapshot = this.snapshot;
    const { added, removed, changed } = diffServers(previous.servers, snapshot.servers);
    const counts = { added: added.length, removed: removed.length, changed: changed.length };
    const { version, servers } = snapshot;
    const index = this.#index;
    this.#options.logger.info(
      { ...this.#fields(), version, servers: servers.length, ...counts, index },
      'list_changed',
    );
    if (listChannel.hasSubscribers) listChannel.publish({ snapshot, previous } satisfies ListMessage);
  }

  #tellRejected(rejected: readonly RejectedEntry[]): void {
    const known = new Set(this.#rejected.map((entry) => `${entry.where} ${entry.code}`));
    if (rejected.some((entry) => !known.has(`${entry.where} ${entry.code}`)))
      this.#options.logger.warn(
        { ...this.#fields(), count: rejected.length, entries: rejected.slice(0, 10) },
        'entries_rejected',
      );
    this.#rejected = rejected;
  }

  #publishFailure(error: UpsyncError): void {
    if (failureChannel.hasSubscribers)
      failureChannel.publish({ upstream: this.#options.upstream, error } satisfies FailureMessage);
  }

  #fields(): { upstream: string; source: string } {
    return { upstream: this.#options.upstream, source: this.#options.description };
  }
}

function unreferencedDelay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function monotonic(): number {
  return performance.now();
}
