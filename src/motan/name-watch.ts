import { errorText } from '../upstream/errors.ts';
import { parseCommands } from './commands/command.ts';
import { type GroupPlan, planGroups } from './commands/evaluate.ts';
import { compose, sameComposed } from './compose.ts';
import { HOLD_DEFAULTS } from './members.ts';
import { Place } from './place.ts';
import type { Resolution, Subscription } from './resolution.ts';
import { serviceNameOf } from './service.ts';
import { type NameSnapshot, readSnapshot } from './snapshot-file.ts';
import { SnapshotWriter } from './snapshot-writer.ts';
import type { RegistryQuery } from './topology.ts';
import type { NameWatchContext, WatchedName, WatchedPlace } from './watched-name.ts';

interface FollowedCommand {
  text: string;
  plan: GroupPlan;
  readonly planOf: (text: string) => GroupPlan;
  /** The registry told it; what was on disk counts no more. */
  isTold: boolean;
  /** The registry answered or failed at least once. */
  isKnown: boolean;
  stop: () => void;
}

type Listener = (resolution: Resolution) => void;

/** Keeps the answer to one name up to date. */
export class NameWatch {
  readonly name: WatchedName;
  /** Set by the resolver on each use, cleared by its sweep. */
  used = true;
  /** What the resolver finds it by. */
  readonly spellings: string[] = [];
  /** The newest answer. */
  current: Resolution;
  /** Resolves when an answer is as good as it gets for now: every IDC answered or failed, or took too long. */
  readonly settled: Promise<void>;
  readonly #context: NameWatchContext;
  readonly #places: Place[];
  readonly #listeners = new Set<Listener>();
  readonly #writer: SnapshotWriter | undefined;
  readonly #settleTimer: NodeJS.Timeout;
  #settle: () => void = () => undefined;
  #isLate = false;
  #isLoaded: boolean;
  /** Why the snapshot on disk is not used. */
  #ignored: string | undefined;
  #command: FollowedCommand | undefined;
  #isQueued = false;
  #isClosed = false;

  constructor(name: WatchedName, context: NameWatchContext) {
    this.name = name;
    this.#context = context;
    this.settled = new Promise((resolve) => (this.#settle = resolve));
    this.#places = name.places.map((place) => this.#place(place));
    this.current = this.#composed(1);
    const { snapshotDir, logger } = context;
    this.#writer = snapshotDir === undefined ? undefined : new SnapshotWriter(snapshotDir, logger);
    this.#isLoaded = snapshotDir === undefined;
    this.#settleTimer = setTimeout(() => {
      this.#isLate = true;
      this.#checkSettled();
    }, context.settleMs);
    this.#settleTimer.unref();
    if (snapshotDir !== undefined) void this.#load(snapshotDir);
    for (const place of this.#places) place.start();
    this.#followCommands();
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  /** The listener hears the present answer (unless nothing is known) and every later one. */
  subscribe(listener: Listener): Subscription {
    // The same function may subscribe twice; each subscription is its own.
    const own: Listener = (resolution) => listener(resolution);
    this.#listeners.add(own);
    if (this.current.state !== 'pending')
      queueMicrotask(() => {
        if (this.#listeners.has(own)) this.#notify(own);
      });
    return { unsubscribe: () => void this.#listeners.delete(own) };
  }

  /** Looks again, because a plan changed or time passed. */
  refresh(): void {
    for (const place of this.#places) place.age();
    this.#queue();
  }

  /** Puts the IDCs in another order. */
  reorder(idcs: readonly string[]): void {
    const at = (place: Place): number => {
      const found = idcs.indexOf(place.idc);
      return found < 0 ? idcs.length : found;
    };
    this.#places.sort((a, b) => at(a) - at(b));
    this.#queue();
  }

  /** Asks for the snapshot to be rewritten with the present time while everything is live. */
  touchSnapshot(): void {
    if (this.current.state === 'live') this.#save();
  }

  /** Last failure of any of its registries and that of the snapshot on disk, for messages. */
  get lastError(): string | undefined {
    const error = this.#places.find((place) => place.error !== undefined)?.error;
    return this.#ignored === undefined ? error : `${error ?? 'no registry answered yet'}; ${this.#ignored}`;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#settleTimer);
    this.#listeners.clear();
    this.#command?.stop();
    for (const place of this.#places) place.stop();
    await this.#writer?.flush();
  }

  #place(place: WatchedPlace): Place {
    const { feeds, hold, now, probing } = this.#context;
    const changed = (): void => this.#queue();
    return new Place({
      ...place,
      feeds,
      probing,
      hold: { ...HOLD_DEFAULTS, ...hold },
      now,
      changed,
    });
  }

  #followCommands(): void {
    const own = this.#places[0]!.query;
    if (own.group === undefined) return;
    const { group } = own;
    const mixGroups = own.consumer?.parameters.get('mixGroups');
    const path = own.path ?? own.consumer?.path ?? this.name.text;
    const planOf = (text: string): GroupPlan =>
      planGroups({ path, group, mixGroups, commands: parseCommands(text) });
    const command: FollowedCommand = {
      ...{ text: '', plan: planOf(''), planOf },
      ...{ isTold: false, isKnown: true, stop: () => undefined },
    };
    this.#command = command;
    this.#followGroups(command.plan);
    if (this.#context.commands === undefined) return;
    command.isKnown = false;
    const query = { group, ...(own.registry === undefined ? {} : { registry: own.registry }) };
    const link = this.#context.commands.listen(query, (state) => {
      command.isKnown = true;
      if (state.value !== undefined) {
        command.isTold = true;
        this.#obey(command, state.value);
      }
      this.#queue();
    });
    command.stop = () => link.stop();
  }

  #obey(command: FollowedCommand, text: string): void {
    if (command.text === text) return;
    command.text = text;
    command.plan = command.planOf(text);
    const { problems } = command.plan;
    const { group } = this.name.places[0]!.query;
    this.#context.logger.info({ name: this.name.text, group, problems }, 'command_changed');
    this.#followGroups(command.plan);
  }

  // A command may send traffic to groups that belong to no IDC of the topology; they count as IDCs of their own.
  #followGroups(plan: GroupPlan): void {
    const own: RegistryQuery = this.name.places[0]!.query;
    const wanted = plan.mode === 'own' ? [] : plan.groups.map(({ group }) => group);
    const extra = this.#places.filter((place) => place.isExtra && !wanted.includes(place.query.group!));
    for (const place of extra) {
      place.stop();
      this.#places.splice(this.#places.indexOf(place), 1);
    }
    for (const group of wanted) {
      if (group === '' || this.#places.some((place) => place.query.group === group)) continue;
      const query = { ...own, service: serviceNameOf(group), group };
      const place = this.#place({ idc: group, capacityFactor: 1, query });
      place.isExtra = true;
      this.#places.push(place);
      place.start();
    }
  }

  async #load(folder: string): Promise<void> {
    const read = await readSnapshot(folder, this.name.text);
    this.#isLoaded = true;
    if (this.#isClosed) return;
    if (read.ok) this.#restore(read.value);
    else {
      this.#ignored = read.error.message;
      this.#context.logger.warn({ name: this.name.text, reason: read.error.message }, 'snapshot_ignored');
    }
    this.#queue();
  }

  #restore(snapshot: NameSnapshot | undefined): void {
    if (snapshot === undefined) return;
    const command = this.#command;
    // First, since it may bring places along. Without commands in this program those on disk are another one's.
    if (command?.isTold === false && this.#context.commands !== undefined)
      this.#obey(command, snapshot.command ?? '');
    for (const { idc, servers } of snapshot.places)
      this.#places.find((place) => place.idc === idc)?.restore(servers, snapshot.confirmedAt);
  }

  #save(): void {
    this.#writer?.save((): NameSnapshot => ({
      name: this.name.text,
      confirmedAt: this.current.staleSince ?? this.#context.now(),
      command: this.#command?.text,
      places: this.#places
        .filter((place) => place.origin !== 'none')
        .map((place) => ({
          idc: place.idc,
          servers: place.membership.members.map(({ provider, since }) => ({ ...provider, since })),
        })),
    }));
  }

  // Several IDCs often change in the same moment; one answer for all of them.
  #queue(): void {
    if (this.#isQueued || this.#isClosed) return;
    this.#isQueued = true;
    queueMicrotask(() => {
      this.#isQueued = false;
      if (!this.#isClosed) this.#update();
    });
  }

  #update(): void {
    const next = this.#composed(this.current.version + 1);
    if (!sameComposed(this.current, next)) {
      this.current = next;
      if (this.#places.some((place) => place.origin === 'registry')) this.#save();
      for (const listener of [...this.#listeners]) this.#notify(listener);
    }
    this.#checkSettled();
  }

  #composed(version: number): Resolution {
    const { now, spill, hold, localIp } = this.#context;
    const at = now();
    const plan = this.name.plan();
    const command = this.#command?.plan;
    const composed = compose({
      name: this.name.text,
      places: this.#places,
      now: at,
      spill,
      hold,
      command,
      localIp,
      plan,
    });
    return Object.freeze({ ...composed, version, at });
  }

  #checkSettled(): void {
    const isHeard = this.#places.every(({ origin, error }) => origin === 'registry' || error !== undefined);
    const isComplete = isHeard && this.#isLoaded && this.#command?.isKnown !== false;
    if (this.current.state !== 'pending' && (isComplete || this.#isLate)) this.#settle();
  }

  #notify(listener: Listener): void {
    try {
      listener(this.current);
    } catch (error) {
      this.#context.logger.error({ name: this.name.text, reason: errorText(error) }, 'listener_failed');
    }
  }
}
