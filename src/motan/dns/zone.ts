import { setMaxListeners } from 'node:events';
import { isIP, isIPv4 } from 'node:net';
import { UpsyncError } from '../../upstream/errors.ts';
import type { NameReader, Resolution } from '../resolution.ts';
import { addressRecord, answerFor, fixedAnswer, negativeAnswer, type PreparedAnswer } from './answer.ts';
import { encodeAnswer, encodeRecord, soaRecord } from './records.ts';
import { type DnsQuery, labelsOf, RCODE, TYPE } from './wire.ts';
import { ADDRESS_LABEL, classifyName, SERVER_LABEL, type ZoneName } from './zone-names.ts';

export interface ZoneOptions {
  readonly resolver: NameReader;
  /** Without dots at its ends, in lower case. */
  readonly suffix: string;
  /** Seconds. */
  readonly ttl: number;
  /** Seconds. */
  readonly negativeTtl: number;
  /** How long a name that nobody asked for before may take. Milliseconds. */
  readonly readyTimeoutMs: number;
  /** Distinct names that are watched for DNS clients at most. */
  readonly maxNames: number;
  /** A name nobody asks for is let go after this long. Milliseconds. */
  readonly nameIdleMs: number;
  /** Address of this server, for the zone's NS name; undefined when it listens everywhere. */
  readonly address: string | undefined;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
}

/** Reached by the number of watched names; told so that the server can log it. */
export interface ZoneCounters {
  /** Questions for new names turned away because `maxNames` are watched. */
  tooManyNames: number;
}

interface Entry {
  readonly text: string;
  readonly soa: Buffer;
  readonly answers: Map<number, { readonly resolution: Resolution; readonly answer: PreparedAnswer }>;
  usedAt: number;
  /** Its newest answer had servers. */
  hasServers: boolean;
  /** Questions that wait for its first answer. */
  waiting: number;
}

const MAX_WAITING = 1000;
/** When there is no room, places are looked for this often, and so many given up at most. */
const SWEEP_EVERY_MS = 1000;
const SWEPT = 64;

/** Answers questions about names that are ours. Knows no sockets. */
export class Zone {
  readonly counters: ZoneCounters = { tooManyNames: 0 };
  readonly #options: ZoneOptions;
  readonly #suffix: readonly string[];
  readonly #soa: Buffer;
  /** By the name as asked for. */
  readonly #entries = new Map<string, Entry>();
  readonly #ended = new AbortController();
  #waiting = 0;
  #sweptAt = -Infinity;
  /** Keys of entries that may make room, the first one first. */
  #leaving: readonly string[] = [];

  constructor(options: ZoneOptions) {
    // Every question that waits listens to it; many at once are no leak.
    setMaxListeners(0, this.#ended.signal);
    this.#options = options;
    this.#suffix = options.suffix.split('.');
    this.#soa = this.#soaOf(options.suffix);
  }

  /** The answer, or a promise of it for a name nobody asked for before; undefined for a name that is not ours. */
  answer(query: DnsQuery): PreparedAnswer | Promise<PreparedAnswer> | undefined {
    const entry = this.#entries.get(query.key);
    if (entry !== undefined) return this.#answerOf(entry, query.type);
    const name = classifyName(labelsOf(query.key), this.#suffix, this.#options.resolver.local);
    if (name.kind === 'foreign') return undefined;
    if (name.kind !== 'resource') return this.#fixed(name, query.type);
    const soa = name.zone === this.#options.suffix ? this.#soa : this.#soaOf(name.zone);
    if (!this.#hasRoom()) {
      this.counters.tooManyNames++;
      return negativeAnswer(RCODE.SERVFAIL);
    }
    try {
      // Opens the name; throws without opening it when the IDC is unknown.
      this.#options.resolver.resolve(name.text);
    } catch (error) {
      return refused(error, soa);
    }
    const opened: Entry = {
      text: name.text,
      soa,
      answers: new Map(),
      usedAt: 0,
      hasServers: false,
      waiting: 0,
    };
    this.#entries.set(query.key, opened);
    return this.#answerOf(opened, query.type);
  }

  /** Names that are kept for DNS clients now. */
  get size(): number {
    return this.#entries.size;
  }

  close(): void {
    this.#ended.abort();
    this.#entries.clear();
  }

  #answerOf(entry: Entry, type: number): PreparedAnswer | Promise<PreparedAnswer> {
    entry.usedAt = this.#options.now();
    let resolution: Resolution;
    try {
      resolution = this.#options.resolver.resolve(entry.text);
    } catch (error) {
      return refused(error, entry.soa);
    }
    if (resolution.state === 'pending') return this.#wait(entry, type);
    return this.#prepared(entry, type, resolution);
  }

  #prepared(entry: Entry, type: number, resolution: Resolution): PreparedAnswer {
    const known = entry.answers.get(type);
    entry.hasServers = resolution.servers.length > 0;
    if (known?.resolution === resolution) return known.answer;
    const { ttl, suffix } = this.#options;
    const answer = answerFor(type, resolution, {
      ttl,
      soa: entry.soa,
      addressZone: `${ADDRESS_LABEL}.${suffix}`,
    });
    // A client may ask for 65,536 types; only those with records are worth keeping.
    if (answer.records.length > 0 || KEPT_TYPES.has(type)) entry.answers.set(type, { resolution, answer });
    return answer;
  }

  async #wait(entry: Entry, type: number): Promise<PreparedAnswer> {
    if (this.#waiting >= MAX_WAITING) return negativeAnswer(RCODE.SERVFAIL);
    this.#waiting++;
    entry.waiting++;
    try {
      const { resolver, readyTimeoutMs } = this.#options;
      const resolution = await resolver.ready(entry.text, {
        timeoutMs: readyTimeoutMs,
        signal: this.#ended.signal,
      });
      return this.#prepared(entry, type, resolution);
    } catch {
      // Nothing is known in time; the client asks again, and the name goes on being looked up.
      return negativeAnswer(RCODE.SERVFAIL);
    } finally {
      this.#waiting--;
      entry.waiting--;
    }
  }

  // Names come from the network: made-up ones must neither grow memory nor push out those in use. So a name without servers
  // gives its place up first, the one asked for longest ago; one with servers only when nobody has asked for it for a while.
  #hasRoom(): boolean {
    const { maxNames, now } = this.#options;
    if (this.#entries.size < maxNames) return true;
    const at = now();
    if (at - this.#sweptAt >= SWEEP_EVERY_MS) {
      this.#sweptAt = at;
      const candidates = [...this.#entries].filter(([, entry]) => this.#mayLeave(entry, at));
      candidates.sort(([, a], [, b]) => Number(a.hasServers) - Number(b.hasServers) || a.usedAt - b.usedAt);
      this.#leaving = candidates.slice(0, SWEPT).map(([key]) => key);
    }
    for (;;) {
      const [key, ...rest] = this.#leaving;
      if (key === undefined) return false;
      this.#leaving = rest;
      const entry = this.#entries.get(key);
      if (entry === undefined || !this.#mayLeave(entry, at)) continue;
      this.#entries.delete(key);
      this.#forget(entry);
      return true;
    }
  }

  #mayLeave({ hasServers, usedAt, waiting }: Entry, at: number): boolean {
    return waiting === 0 && (!hasServers || at - usedAt > this.#options.nameIdleMs);
  }

  // The resolver lets unused names go by itself, later; a made-up one need not be watched so long.
  #forget({ text, hasServers }: Entry): void {
    if (hasServers || [...this.#entries.values()].some((other) => other.text === text)) return;
    this.#options.resolver.forget(text);
  }

  #fixed(name: Exclude<ZoneName, { kind: 'foreign' | 'resource' }>, type: number): PreparedAnswer {
    const { ttl, suffix, address } = this.#options;
    const soa = name.zone === suffix ? this.#soa : this.#soaOf(name.zone);
    const isAny = type === TYPE.ANY;
    if (name.kind === 'unknown') return negativeAnswer(RCODE.NXDOMAIN, soa);
    if (name.kind === 'apex' && (type === TYPE.SOA || isAny))
      return fixedAnswer([encodeAnswer(this.#soaRecord(suffix, ttl))]);
    if (name.kind === 'apex' && type === TYPE.NS)
      return fixedAnswer([
        encodeAnswer({ type: 'NS', name: suffix, ttl, data: `${SERVER_LABEL}.${suffix}` }),
      ]);
    const own = name.kind === 'server' && address !== undefined ? address : undefined;
    const found =
      name.kind === 'address'
        ? name
        : own === undefined || isIP(own) === 0
          ? undefined
          : { type: isIPv4(own) ? ('A' as const) : ('AAAA' as const), host: own };
    if (found !== undefined && (isAny || type === TYPE[found.type]))
      return fixedAnswer([addressRecord('.', found.type, found.host, ttl)]);
    return negativeAnswer(RCODE.NOERROR, soa);
  }

  #soaOf(zone: string): Buffer {
    return encodeRecord(this.#soaRecord(zone, this.#options.negativeTtl));
  }

  #soaRecord(zone: string, ttl: number): ReturnType<typeof soaRecord> {
    const { suffix, negativeTtl } = this.#options;
    return soaRecord({ zone, nameServer: `${SERVER_LABEL}.${suffix}`, negativeTtl, ttl });
  }
}

// A resolver that is closed or full is a failure, never a "does not exist".
function refused(error: unknown, soa: Buffer): PreparedAnswer {
  const isUnknown = error instanceof UpsyncError && error.code === 'UNKNOWN_IDC';
  return isUnknown ? negativeAnswer(RCODE.NXDOMAIN, soa) : negativeAnswer(RCODE.SERVFAIL);
}

const KEPT_TYPES: ReadonlySet<number> = new Set([TYPE.A, TYPE.AAAA, TYPE.SRV, TYPE.ANY]);
