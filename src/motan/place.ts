import { type Feed, type FeedPool, type FeedState } from './feed.ts';
import { type HoldOptions, type Membership, NO_MEMBERS, remember } from './members.ts';
import { isHealthy, type Provider, type ProviderList } from './provider.ts';
import { type SnapshotPlace } from './snapshot-file.ts';
import { type RegistryQuery } from './topology.ts';
import { canServe } from './url.ts';

export interface PlaceOptions {
  readonly idc: string;
  readonly capacityFactor: number;
  readonly query: RegistryQuery;
  readonly feeds: FeedPool<RegistryQuery, ProviderList>;
  readonly hold: Required<HoldOptions>;
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
  membership: Membership = NO_MEMBERS;
  origin: 'none' | 'snapshot' | 'registry' = 'none';
  confirmedAt: number | undefined;
  error: string | undefined;
  /** It stands for a group that only a command named. */
  isExtra = false;
  readonly #options: PlaceOptions;
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

  start(): void {
    // What only narrows the answer down stays out, so that all who ask for one service share one poll.
    const { port: _port, path: _path, consumer: _consumer, ...shared } = this.query;
    this.#link = this.#options.feeds.listen(shared, (state) => this.#hear(state));
  }

  stop(): void {
    clearTimeout(this.#recheck);
    this.#link?.stop();
  }

  /** Takes the servers of a disk snapshot, unless the registry was quicker. */
  restore(servers: SnapshotPlace['servers'], confirmedAt: number): void {
    if (this.origin !== 'none') return;
    const list = { providers: servers, complete: true };
    const { members } = remember(NO_MEMBERS, list, confirmedAt, this.#options.hold);
    this.membership = {
      ...NO_MEMBERS,
      members: members.map((member, at) => ({ ...member, since: servers[at]!.since })),
    };
    this.origin = 'snapshot';
    this.confirmedAt = confirmedAt;
  }

  /** Lets time pass for servers that are only believed to be failing. */
  age(): void {
    const { hold, now } = this.#options;
    const isMissing = this.membership.members.some(({ provider }) => provider.health === 'missing');
    if (this.#shown !== undefined && isMissing)
      this.membership = remember(this.membership, this.#shown, now(), hold);
  }

  #hear(state: FeedState<ProviderList>): void {
    this.error = state.error?.message;
    const isAnswer = state.error === undefined && state.value !== undefined;
    // A failure repeats the last value; it is not a new answer and must not confirm an empty one.
    if (state.value !== undefined && (isAnswer || this.#lastAnswer === undefined)) this.#believe(state.value);
    if (state.value !== undefined) {
      this.#lastAnswer = state.confirmedAt;
      this.confirmedAt = state.confirmedAt;
    }
    this.#options.changed();
  }

  #believe(list: ProviderList): void {
    const { hold, now } = this.#options;
    if (list !== this.#last || this.#shown === undefined)
      this.#shown = { ...list, providers: selected(list, this.query) };
    this.#last = list;
    this.membership = remember(this.membership, this.#shown, now(), hold);
    this.origin = 'registry';
    clearTimeout(this.#recheck);
    if (this.membership.emptySince === undefined) return;
    const delay = hold.emptyGraceMs / Math.max(1, hold.emptyConfirmations - 1) + RECHECK_MARGIN_MS;
    this.#recheck = setTimeout(() => this.#link?.feed.recheck(), delay);
    this.#recheck.unref();
  }
}

/** The servers a query asks for: of its port and path, one per address, the healthy one of several. */
function selected({ providers }: ProviderList, { port, path, consumer }: RegistryQuery): readonly Provider[] {
  const byAddress = new Map<string, Provider>();
  for (const provider of providers) {
    if (port !== undefined && provider.port !== port) continue;
    if (path !== undefined && provider.motan?.path !== path) continue;
    if (consumer !== undefined && (provider.motan === undefined || !canServe(provider.motan, consumer)))
      continue;
    const other = byAddress.get(provider.address);
    if (other === undefined || (isHealthy(provider.health) && !isHealthy(other.health)))
      byAddress.set(provider.address, provider);
  }
  return [...byAddress.values()];
}
