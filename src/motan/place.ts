import type { Feed, FeedPool, FeedState } from './feed.ts';
import { type HoldOptions, type Membership, NO_MEMBERS, remember } from './members.ts';
import { PROBE_DEFAULTS, type ProbeOptions, connectMs, silentServers } from './probe.ts';
import type { RejectedEntry } from '../upstream/errors.ts';
import { isHealthy, type Provider, type ProviderList } from './provider.ts';
import type { SnapshotPlace } from './snapshot-file.ts';
import type { RegistryQuery } from './topology.ts';
import { canServe } from './url.ts';

export interface PlaceOptions {
  readonly idc: string;
  readonly capacityFactor: number;
  readonly query: RegistryQuery;
  readonly feeds: FeedPool<RegistryQuery, ProviderList>;
  readonly hold: Required<HoldOptions>;
  readonly probing: ProbeOptions;
  readonly now: () => number;
  /** Called after each change. */
  readonly changed: () => void;
}

/** Added so that the repeated answer comes after the grace period and not in its last millisecond. */
const RECHECK_MARGIN_MS = 50;

/** The servers of one name in one IDC, kept believable. */
export class Place {
  readonly idc: string;
  readonly capacityFactor: number;
  readonly query: RegistryQuery;
  readonly group: string | undefined;
  origin: 'none' | 'snapshot' | 'registry' = 'none';
  confirmedAt: number | undefined;
  error: string | undefined;
  /** Entries of the registry's last answer that could not be read. */
  rejected: readonly RejectedEntry[] = [];
  /** Servers that are used as they were read last, because their entry cannot be read now. */
  unreadable = 0;
  /** It stands for a group that only a command named. */
  isExtra = false;
  readonly #options: PlaceOptions;
  #believed: Membership = NO_MEMBERS;
  /** What `membership` gives; the believed one, with servers that do not answer marked so. */
  #effective: Membership = NO_MEMBERS;
  readonly #stopped = new AbortController();
  #probe: NodeJS.Timeout | undefined;
  /** Which silence of the registry this is, so that a round of one does not meddle with the next. */
  #silence = 0;
  #link: { readonly feed: Feed<ProviderList>; stop(): void } | undefined;
  #recheck: NodeJS.Timeout | undefined;
  #last: ProviderList | undefined;
  #shown: ProviderList | undefined;
  #lastAnswer: number | undefined;

  constructor(options: PlaceOptions) {
    this.#options = options;
    this.idc = options.idc;
    this.capacityFactor = options.capacityFactor;
    this.query = options.query;
    this.group = options.query.group;
  }

  /** The servers as believed now. */
  get membership(): Membership {
    return this.#effective;
  }

  start(): void {
    // What only narrows the answer down stays out, so that all who ask for one service share one poll.
    const { port: _port, path: _path, consumer: _consumer, ...shared } = this.query;
    this.#link = this.#options.feeds.listen(shared, (state) => this.#hear(state));
  }

  stop(): void {
    clearTimeout(this.#recheck);
    clearTimeout(this.#probe);
    this.#stopped.abort();
    this.#link?.stop();
  }

  /** Takes the servers of a disk snapshot, unless the registry was quicker. */
  restore(servers: SnapshotPlace['servers'], confirmedAt: number): void {
    if (this.origin !== 'none') return;
    const list = { providers: servers, complete: true };
    const { members } = remember(NO_MEMBERS, list, confirmedAt, this.#options.hold);
    this.#believe({
      ...NO_MEMBERS,
      members: members.map((member, at) => ({ ...member, since: servers[at]!.since })),
    });
    this.origin = 'snapshot';
    this.confirmedAt = confirmedAt;
  }

  /** Lets time pass for servers that are only believed to be failing. */
  age(): void {
    const { hold, now } = this.#options;
    const isMissing = this.#believed.members.some(({ provider }) => provider.health === 'missing');
    if (this.#shown !== undefined && isMissing)
      this.#believe(remember(this.#believed, this.#shown, now(), hold));
  }

  #believe(membership: Membership): void {
    this.#believed = this.#effective = membership;
  }

  #hear(state: FeedState<ProviderList>): void {
    this.error = state.error?.message;
    const isAnswer = state.error === undefined && state.value !== undefined;
    // A failure repeats the last value; it is not a new answer and must not confirm an empty one.
    if (state.value !== undefined && (isAnswer || this.#lastAnswer === undefined)) this.#take(state.value);
    if (state.value !== undefined) {
      this.#lastAnswer = state.confirmedAt;
      this.confirmedAt = state.confirmedAt;
    }
    if (this.error === undefined) {
      clearTimeout(this.#probe);
      this.#probe = undefined;
      this.#silence++;
    } else this.#probe ??= this.#probeIn(this.#options.probing.afterMs ?? PROBE_DEFAULTS.afterMs);
    this.#options.changed();
  }

  // A registry that is silent may have gone together with its data centre: then its servers are asked themselves.
  #probeIn(ms: number): NodeJS.Timeout | undefined {
    return ms === 0 ? undefined : setTimeout(() => void this.#probeServers(), ms).unref();
  }

  async #probeServers(): Promise<void> {
    const { probing, now, changed } = this.#options;
    const believed = this.#believed;
    const silence = this.#silence;
    const providers = believed.members.map(({ provider }) => provider);
    const silent = await silentServers(providers, probing.probe ?? connectMs, this.#stopped.signal);
    if (this.#stopped.signal.aborted || this.#silence !== silence) return;
    this.#probe = this.#probeIn(probing.everyMs ?? PROBE_DEFAULTS.everyMs);
    if (this.#believed !== believed) return;
    const before = new Map(this.#effective.members.map((member) => [member.provider.id, member]));
    const members = believed.members.map((member) => {
      if (!silent.has(member.provider.id) || member.failingSince !== undefined) return member;
      const failed = before.get(member.provider.id);
      if (failed?.failingSince !== undefined) return failed;
      return {
        ...member,
        failingSince: now(),
        provider: { ...member.provider, health: 'critical' as const },
      };
    });
    this.#effective = { ...believed, members };
    changed();
  }

  // An entry that is still there but cannot be read is no deregistration: its server stays as it was read last.
  #unreadable({ rejected }: ProviderList): readonly Provider[] {
    if (rejected.length === 0) return [];
    const known = new Map(this.#believed.members.map(({ provider }) => [provider.id, provider]));
    return rejected.flatMap(({ where }) => known.get(where) ?? []);
  }

  #take(list: ProviderList): void {
    const { hold, now } = this.#options;
    if (list !== this.#last || this.#shown === undefined) {
      const providers = selected(list, this.query);
      const kept = this.#unreadable(list);
      this.#shown = { ...list, providers: [...providers, ...kept] };
      this.rejected = list.rejected;
      this.unreadable = kept.length;
    }
    this.#last = list;
    this.#believe(remember(this.#believed, this.#shown, now(), hold));
    this.origin = 'registry';
    clearTimeout(this.#recheck);
    if (this.#believed.emptySince === undefined) return;
    const delay = hold.emptyGraceMs / Math.max(1, hold.emptyConfirmations - 1) + RECHECK_MARGIN_MS;
    this.#recheck = setTimeout(() => this.#link?.feed.recheck(), delay);
    this.#recheck.unref();
  }
}

/** The servers a query asks for: not withdrawn, of its port and path, one per address, the healthy one of several. */
function selected({ providers }: ProviderList, { port, path, consumer }: RegistryQuery): readonly Provider[] {
  const byAddress = new Map<string, Provider>();
  for (const provider of providers) {
    if (provider.withdrawn === true || (port !== undefined && provider.port !== port)) continue;
    if (path !== undefined && provider.motan?.path !== path) continue;
    if (consumer !== undefined && (provider.motan === undefined || !canServe(provider.motan, consumer)))
      continue;
    const other = byAddress.get(provider.address);
    if (other === undefined || (isHealthy(provider.health) && !isHealthy(other.health)))
      byAddress.set(provider.address, provider);
  }
  return [...byAddress.values()];
}
