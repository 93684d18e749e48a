import { blockingReplies } from './consul-blocking.ts';
import { type ConsulQuery, consulQuery } from './consul-query.ts';
import type { RegistryHttp, RegistryReply } from './http.ts';
import { PollFloor } from './poll-floor.ts';
import { sameList } from './same-list.ts';
import type { Source, SourceList, SourceOptions } from './source.ts';
import { untilAborted } from './until-aborted.ts';

/** How one kind of Consul reply is read. */
export interface ConsulReading {
  /** First word of the description. */
  readonly kind: string;
  /** Statuses besides 200 that carry a list. */
  readonly alsoOk: readonly number[];
  /** @throws {SourceError} when the reply holds no list. */
  readonly read: (reply: RegistryReply) => SourceList;
}

/** One upstream that follows Consul with a long poll of its own. */
export class ConsulListSource implements Source {
  readonly description: string;
  readonly #http: RegistryHttp;
  readonly #options: SourceOptions;
  readonly #reading: ConsulReading;
  readonly #query: ConsulQuery;
  readonly #floor: PollFloor;
  /** What any loop was told last; says whether a new loop's first reply is news to the registry's rate floor. */
  #seen: SourceList | undefined;

  /** @throws {SourceError} SOURCE_BAD_OPTIONS when the options do not fit the type. */
  constructor(options: SourceOptions, http: RegistryHttp, reading: ConsulReading) {
    this.#http = http;
    this.#options = options;
    this.#reading = reading;
    this.#query = consulQuery(options);
    this.#floor = new PollFloor(options.intervalMs);
    this.description = `${reading.kind} ${http.description}${this.#query.path}`;
  }

  lists(signal: AbortSignal): AsyncIterable<SourceList> {
    return untilAborted(this.#lists(signal), signal);
  }

  async *#lists(signal: AbortSignal): AsyncGenerator<SourceList> {
    const { intervalMs, timeoutMs } = this.#options;
    const { alsoOk, read } = this.#reading;
    let last: SourceList | undefined;
    const decode = (reply: RegistryReply) => {
      const value = read(reply);
      const before = last ?? this.#seen;
      const changed = before === undefined || !sameList(before, value);
      last = value;
      this.#seen = value;
      return { value, changed };
    };
    const options = { http: this.#http, query: this.#query, floor: this.#floor, intervalMs, timeoutMs };
    for await (const { value, index } of blockingReplies({ ...options, alsoOk, decode }, signal))
      yield index === undefined ? value : { ...value, index };
  }
}
