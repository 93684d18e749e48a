import { Backoff } from '../upstream/backoff.ts';
import { blockingReplies } from './consul-blocking.ts';
import { joinKvEntries, type KvEntry, KvReplyReader } from './consul-kv-reply.ts';
import type { ConsulQuery } from './consul-query.ts';
import type { RegistryHttp } from './http.ts';
import { onAbort } from './on-abort.ts';
import { PollFloor } from './poll-floor.ts';
import { PrefixIndex } from './prefix-index.ts';
import { sleep } from './sleep.ts';
import { toSourceError } from './source-error.ts';
import type { Source, SourceList } from './source.ts';

/** Longest wait between two tries of a poll that fails. Milliseconds. */
const RETRY_CAP_MS = 10_000;

/** What {@link ConsulKvHub} needs. */
export interface ConsulKvHubOptions {
  readonly http: RegistryHttp;
  /** Of the common prefix. */
  readonly query: ConsulQuery;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly random?: () => number;
}

/** An entry that knows whose it is. */
type Entry = KvEntry<readonly Member[]>;

/** The part of the hub's list that belongs to one upstream. */
interface Member {
  readonly prefix: string;
  readonly description: string;
  entries: readonly Entry[];
  /** Counts the changes of `entries`; 0 before the first reply. */
  version: number;
  readonly waiting: Waiter[];
  /** While a reply is handed out: how many of `entries` it has confirmed, and whether it has anything else. */
  same: number;
  differs: boolean;
}

interface Waiter {
  readonly wake: () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * One long poll for all Consul KV upstreams under one prefix. It polls the longest prefix they share and hands each upstream
 * its part, waking only those whose part changed. It runs while somebody listens. The index may be committed as soon as a
 * reply was read, because the hub keeps every upstream's whole part until it is asked for. When the poll fails, all who
 * listen are told; since they would otherwise all ask again on their own, the hub itself waits before its next try.
 */
export class ConsulKvHub {
  readonly #options: ConsulKvHubOptions;
  readonly #members: readonly Member[];
  readonly #floor: PollFloor;
  readonly #backoff: Backoff;
  readonly #reader: KvReplyReader<readonly Member[]>;
  #listeners = 0;
  /** Index of the last reply, which is that of every part. */
  #replyIndex: string | undefined;
  #running: AbortController | undefined;
  /** True while `entries` of the members are what the running poll was told. */
  #fresh = false;
  #notBefore = 0;

  /** @param prefixes one per upstream: the KV prefix, decoded, as Consul would match it. */
  constructor(prefixes: readonly { prefix: string; path: string }[], options: ConsulKvHubOptions) {
    this.#options = options;
    this.#members = prefixes.map(({ prefix, path }) => ({
      prefix,
      description: `consul ${options.http.description}${path}`,
      entries: [],
      version: 0,
      waiting: [],
      same: 0,
      differs: false,
    }));
    const index = new PrefixIndex(this.#members.map((member) => [member.prefix, member]));
    this.#reader = new KvReplyReader((key) => index.matching(key));
    this.#floor = new PollFloor(options.intervalMs);
    this.#backoff = new Backoff({
      capMs: RETRY_CAP_MS,
      ...(options.random ? { random: options.random } : {}),
    });
  }

  /** One source per upstream, in the order of the prefixes. */
  get sources(): readonly Source[] {
    return this.#members.map((member) => ({
      description: member.description,
      lists: (signal: AbortSignal) => this.#lists(member, signal),
    }));
  }

  // After the abort nothing can throw any more: a listener that waits is woken by it, before the poll could fail.
  async *#lists(member: Member, signal: AbortSignal): AsyncGenerator<SourceList> {
    this.#listeners++;
    try {
      for (let seen = 0; !signal.aborted;) {
        if (!this.#fresh || member.version === seen) await this.#next(member, signal);
        if (signal.aborted || !this.#fresh) continue;
        seen = member.version;
        const list = joinKvEntries(member.entries, []);
        yield this.#replyIndex === undefined ? list : { ...list, index: this.#replyIndex };
      }
    } finally {
      this.#listeners--;
      if (this.#listeners === 0) this.#stop();
    }
  }

  /** Resolves when this upstream's part changed (or the signal aborted), rejects when the poll failed. */
  #next(member: Member, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        member.waiting.splice(member.waiting.indexOf(waiter), 1);
        release();
      };
      const waiter: Waiter = {
        wake: () => {
          settle();
          resolve();
        },
        fail: (error) => {
          settle();
          reject(toSourceError(error, member.description));
        },
      };
      member.waiting.push(waiter);
      const release = onAbort(signal, waiter.wake);
      if (this.#running === undefined) this.#start();
    });
  }

  #start(): void {
    const running = new AbortController();
    this.#running = running;
    void this.#poll(running.signal).catch((error: unknown) => {
      if (this.#running !== running) return;
      this.#running = undefined;
      this.#fresh = false;
      this.#notBefore = performance.now() + this.#backoff.next();
      for (const member of this.#members) for (const waiter of [...member.waiting]) waiter.fail(error);
    });
  }

  #stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#fresh = false;
  }

  async #poll(signal: AbortSignal): Promise<void> {
    await sleep(Math.max(0, this.#notBefore - performance.now()), signal);
    const replies = blockingReplies(
      {
        ...this.#options,
        floor: this.#floor,
        alsoOk: [404],
        memory: () => this.#reader.takeMemory(),
        decode: (reply) => {
          const { entries, changed } = this.#reader.read(reply);
          return { value: entries, changed };
        },
      },
      signal,
    );
    for await (const { value, index } of replies) {
      if (signal.aborted) return;
      this.#backoff.reset();
      this.#take(value, index);
    }
  }

  #take(entries: readonly Entry[], index: string | undefined): void {
    this.#replyIndex = index;
    const changed = new Set(this.#divide(entries));
    const wasFresh = this.#fresh;
    this.#fresh = true;
    for (const member of wasFresh ? changed : this.#members)
      for (const waiter of [...member.waiting]) waiter.wake();
  }

  /** Gives each upstream its part, and tells whose part changed. Only theirs are made anew. */
  #divide(entries: readonly Entry[]): readonly Member[] {
    for (const member of this.#members) {
      member.same = 0;
      member.differs = member.version === 0;
    }
    for (const entry of entries)
      for (const member of entry.tag) {
        if (member.entries[member.same] === entry) member.same++;
        else member.differs = true;
      }
    const changed = this.#members.filter((member) => member.differs || member.same < member.entries.length);
    if (changed.length === 0) return changed;
    const parts = new Map<Member, Entry[]>(changed.map((member) => [member, []]));
    for (const entry of entries) for (const member of entry.tag) parts.get(member)?.push(entry);
    for (const [member, part] of parts) {
      member.entries = part;
      member.version++;
    }
    return changed;
  }
}
