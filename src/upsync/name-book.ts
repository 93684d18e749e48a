import { isIP } from 'node:net';
import { errorText } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';
import type { ResolveName } from './resolve-names.ts';

export interface NameBookOptions {
  readonly resolve: ResolveName;
  readonly logger: Logger;
  /** 0 up to, not including, 1. @default Math.random */
  readonly random?: () => number;
}

/** Longest pause between two attempts at a name that does not resolve. Milliseconds. */
const MAX_RETRY_MS = 30_000;

interface Entry {
  readonly host: string;
  readonly followers: Map<string, () => void>;
  readonly abort: AbortController;
  addresses: readonly string[];
  failures: number;
  problem: string | undefined;
  timer: NodeJS.Timeout | undefined;
  /** Settles after the first attempt. */
  first: Promise<void>;
}

/**
 * The addresses of all host names in use, each name resolved once for all upstreams that have it and again as its time to
 * live ends. A failure, NXDOMAIN included, keeps the last addresses.
 */
export class NameBook {
  readonly #options: NameBookOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #hostsOf = new Map<string, readonly string[]>();

  constructor(options: NameBookOptions) {
    this.#options = options;
  }

  /**
   * Says which names an owner needs from now on; names nobody needs are forgotten. `changed` is called after the addresses
   * of one of them changed. Resolves when each has been asked for once, with or without success.
   */
  async follow(owner: string, hosts: readonly string[], changed: () => void): Promise<void> {
    const before = this.#hostsOf.get(owner) ?? [];
    if (hosts.length === 0) this.#hostsOf.delete(owner);
    else this.#hostsOf.set(owner, hosts);
    for (const host of hosts) this.#entry(host).followers.set(owner, changed);
    for (const host of before) if (!hosts.includes(host)) this.#drop(host, owner);
    await Promise.all(hosts.map((host) => this.#entry(host).first));
  }

  /** Forgets the owner and the names only it needed. */
  unfollow(owner: string): void {
    for (const host of this.#hostsOf.get(owner) ?? []) this.#drop(host, owner);
    this.#hostsOf.delete(owner);
  }

  /** The last known addresses; empty while there are none. */
  addresses(host: string): readonly string[] {
    return this.#entries.get(host)?.addresses ?? [];
  }

  /** Why the last attempt at a name failed, for a status page. */
  problem(host: string): string | undefined {
    return this.#entries.get(host)?.problem;
  }

  close(): void {
    for (const owner of [...this.#hostsOf.keys()]) this.unfollow(owner);
  }

  #entry(host: string): Entry {
    const known = this.#entries.get(host);
    if (known) return known;
    const entry: Entry = {
      host,
      followers: new Map(),
      abort: new AbortController(),
      addresses: [],
      failures: 0,
      problem: undefined,
      timer: undefined,
      first: Promise.resolve(),
    };
    this.#entries.set(host, entry);
    entry.first = this.#refresh(entry);
    return entry;
  }

  #drop(host: string, owner: string): void {
    const entry = this.#entries.get(host);
    if (!entry) return;
    entry.followers.delete(owner);
    if (entry.followers.size > 0) return;
    this.#entries.delete(host);
    clearTimeout(entry.timer);
    entry.abort.abort();
  }

  async #refresh(entry: Entry): Promise<void> {
    let waitMs: number;
    try {
      const answer = await this.#options.resolve(entry.host, entry.abort.signal);
      if (entry.abort.signal.aborted) return;
      const stay = entry.addresses.filter((address) => isIP(address) === answer.incomplete);
      this.#replace(entry, [...new Set([...answer.addresses, ...stay])]);
      if (entry.problem !== undefined) this.#options.logger.info({ host: entry.host }, 'name_resolves_again');
      entry.failures = 0;
      entry.problem = undefined;
      waitMs = answer.ttlMs;
    } catch (error) {
      if (entry.abort.signal.aborted) return;
      const problem = errorText(error);
      if (entry.problem === undefined)
        this.#options.logger.warn(
          { host: entry.host, error: problem, addressesKept: entry.addresses.length },
          'name_not_resolved',
        );
      entry.problem = problem;
      const ceiling = Math.min(MAX_RETRY_MS, 1000 * 2 ** Math.min(entry.failures++, 10));
      waitMs = ceiling / 2 + ((this.#options.random ?? Math.random)() * ceiling) / 2;
    }
    entry.timer = setTimeout(() => void this.#refresh(entry), waitMs);
    entry.timer.unref();
  }

  #replace(entry: Entry, addresses: readonly string[]): void {
    const before = entry.addresses;
    if (addresses.length === before.length && addresses.every((address) => before.includes(address))) return;
    entry.addresses = addresses;
    for (const changed of entry.followers.values()) changed();
  }
}
