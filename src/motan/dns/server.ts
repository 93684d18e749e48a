import { errorText } from '../../upstream/errors.ts';
import { type Logger, SILENT } from '../../upstream/logger.ts';
import { type Resolver } from '../resolution.ts';
import { negativeAnswer, type PreparedAnswer } from './answer.ts';
import { Forwarder } from './forwarder.ts';
import { writeFailure, writeResponse } from './response.ts';
import { bindBoth, serveTcp, serveUdp, type Transport } from './sockets.ts';
import { CLASS_ANY, CLASS_IN, type DnsQuery, RCODE, readQuery, TYPE } from './wire.ts';
import { checkedSuffix } from './suffix.ts';
import { Zone } from './zone.ts';

export interface DnsServerOptions {
  readonly resolver: Resolver;
  /** Address to listen on, UDP and TCP; port 0 takes a free one. @default { host: '127.0.0.1', port: 8600 } */
  readonly listen?: { readonly host?: string; readonly port?: number };
  /** Names are answered below this domain too. @default 'idc.local' */
  readonly suffix?: string;
  /** How long clients may keep an answer. Seconds, 0..86400. @default 5 */
  readonly ttlSeconds?: number;
  /** How long clients may keep a "does not exist". Seconds, 0..86400. @default the same as ttlSeconds */
  readonly negativeTtlSeconds?: number;
  /** Resolvers that are asked for all other names, `10.0.0.2:53`, in order. @default none; other names are refused */
  readonly forward?: readonly string[];
  /** Bound of one try with one of them. Milliseconds. @default 2000 */
  readonly forwardTimeoutMs?: number;
  /** How long the first question for a name waits for the registry before it fails. Milliseconds. @default 1000 */
  readonly readyTimeoutMs?: number;
  /** Distinct names that are watched for clients at most; those in use keep their place. @default 1000 */
  readonly maxNames?: number;
  /** A name nobody asks for gives its place up after this long. Milliseconds. @default 120000 */
  readonly nameIdleMs?: number;
  /** Records per answer at most; 0 bounds by size alone. @default 0 */
  readonly maxAnswers?: number;
  /** Decides the order of each answer: 0 up to but not including 1. @default Math.random */
  readonly random?: () => number;
  /** @default SILENT */
  readonly logger?: Logger;
}

/** What a server has done since it started. */
export interface DnsStats {
  readonly queries: number;
  /** Bytes that were no query and got no answer. */
  readonly dropped: number;
  readonly forwarded: number;
  /** Answers by response code: `NOERROR`, `NXDOMAIN`, … */
  readonly answers: Readonly<Record<string, number>>;
  /** Names that are watched for clients. */
  readonly names: number;
  /** Questions for new names turned away because too many are watched. */
  readonly tooManyNames: number;
}

export interface DnsServer {
  readonly address: string;
  readonly port: number;
  stats(): DnsStats;
  /** Resolves when no socket is open any more. */
  close(): Promise<void>;
}

export const DNS_DEFAULTS = Object.freeze({
  host: '127.0.0.1',
  port: 8600,
  suffix: 'idc.local',
  ttlSeconds: 5,
  forwardTimeoutMs: 2000,
  readyTimeoutMs: 1000,
  maxNames: 1000,
  nameIdleMs: 120_000,
});

const MAX_FORWARDED = 512;
const CODES = Object.entries(RCODE);

/**
 * Serves names over DNS, for everything that can only speak DNS: `rs.a.6379` and `rs.a.6379.idc.local`, types A, AAAA and SRV,
 * over UDP and TCP.
 *
 * ```ts
 * const dns = await createDnsServer({ resolver, listen: { port: 8600 } });
 * // dig @127.0.0.1 -p 8600 rs.a.6379.idc.local SRV
 * ```
 * @throws {UpsyncError} BAD_SUFFIX, BAD_FORWARDER; what `listen` throws when the address is taken.
 */
export async function createDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const suffix = checkedSuffix(options.suffix ?? DNS_DEFAULTS.suffix);
  const forward = options.forward ?? [];
  const forwarder =
    forward.length === 0
      ? undefined
      : new Forwarder({
          servers: forward,
          timeoutMs: options.forwardTimeoutMs ?? DNS_DEFAULTS.forwardTimeoutMs,
          maxPending: MAX_FORWARDED,
        });
  const { host = DNS_DEFAULTS.host, port = DNS_DEFAULTS.port } = options.listen ?? {};
  const bound = await bindBoth(host, port);
  const ttl = options.ttlSeconds ?? DNS_DEFAULTS.ttlSeconds;
  const zone = new Zone({
    resolver: options.resolver,
    suffix,
    ttl,
    negativeTtl: options.negativeTtlSeconds ?? ttl,
    readyTimeoutMs: options.readyTimeoutMs ?? DNS_DEFAULTS.readyTimeoutMs,
    maxNames: options.maxNames ?? DNS_DEFAULTS.maxNames,
    nameIdleMs: options.nameIdleMs ?? DNS_DEFAULTS.nameIdleMs,
    address: host === '0.0.0.0' || host === '::' ? undefined : host,
    now: () => performance.now(),
  });
  const desk = new Desk(zone, forwarder, options);
  const transports: Transport[] = [serveUdp(bound.udp, desk.handle), serveTcp(bound.tcp, desk.handle)];
  return {
    address: host,
    port: bound.port,
    stats: () => desk.stats(),
    close: async () => {
      desk.close();
      await Promise.all(transports.map((transport) => transport.close()));
    },
  };
}

/** Takes each question and sees to its answer. */
class Desk {
  readonly #zone: Zone;
  readonly #forwarder: Forwarder | undefined;
  readonly #logger: Logger;
  readonly #random: () => number;
  readonly #maxAnswers: number;
  readonly #ended = new AbortController();
  readonly #codes = new Uint32Array(32);
  #queries = 0;
  #dropped = 0;
  #forwarded = 0;

  constructor(zone: Zone, forwarder: Forwarder | undefined, options: DnsServerOptions) {
    this.#zone = zone;
    this.#forwarder = forwarder;
    this.#logger = options.logger ?? SILENT;
    this.#random = options.random ?? Math.random;
    this.#maxAnswers = options.maxAnswers ?? 0;
  }

  /** Answers bytes from the network, now or later, or not at all. Never throws. */
  readonly handle = (bytes: Buffer, transport: 'udp' | 'tcp', reply: (bytes: Buffer) => void): void => {
    this.#queries++;
    const query = readQuery(bytes);
    if (!('question' in query)) {
      if (query.rcode === undefined) this.#dropped++;
      else reply(this.#counted(query.rcode, writeFailure(query, query.rcode)));
      return;
    }
    try {
      const refusal = refusalOf(query);
      const found = refusal ?? this.#zone.answer(query);
      if (found === undefined) this.#foreign(bytes, query, transport, reply);
      else if (found instanceof Promise) void this.#later(query, found, transport, reply);
      else reply(this.#written(query, found, transport, refusal === undefined));
    } catch (error) {
      this.#logger.error({ reason: errorText(error) }, 'dns_answer_failed');
      reply(this.#written(query, negativeAnswer(RCODE.SERVFAIL), transport, false));
    }
  };

  stats(): DnsStats {
    const answers = CODES.map(([name, code]) => [name, this.#codes[code]!] as const);
    return {
      queries: this.#queries,
      dropped: this.#dropped,
      forwarded: this.#forwarded,
      answers: Object.fromEntries(answers.filter(([, count]) => count > 0)),
      names: this.#zone.size,
      tooManyNames: this.#zone.counters.tooManyNames,
    };
  }

  close(): void {
    this.#ended.abort();
    this.#zone.close();
  }

  async #later(
    query: DnsQuery,
    found: Promise<PreparedAnswer>,
    transport: 'udp' | 'tcp',
    reply: (bytes: Buffer) => void,
  ): Promise<void> {
    const answer = await found;
    if (!this.#ended.signal.aborted) reply(this.#written(query, answer, transport, true));
  }

  #foreign(bytes: Buffer, query: DnsQuery, transport: 'udp' | 'tcp', reply: (bytes: Buffer) => void): void {
    if (this.#forwarder === undefined) {
      reply(this.#written(query, negativeAnswer(RCODE.REFUSED), transport, false));
      return;
    }
    this.#forwarded++;
    this.#forwarder.ask(bytes, query, transport, this.#ended.signal).then(
      (answer) => {
        if (this.#ended.signal.aborted) return;
        if (answer === undefined)
          reply(this.#written(query, negativeAnswer(RCODE.SERVFAIL), transport, false));
        else reply(this.#counted(answer[3]! & 15, answer));
      },
      (error: unknown) => this.#logger.error({ reason: errorText(error) }, 'dns_forward_failed'),
    );
  }

  #written(
    query: DnsQuery,
    answer: PreparedAnswer,
    transport: 'udp' | 'tcp',
    authoritative: boolean,
  ): Buffer {
    return this.#counted(
      answer.rcode,
      writeResponse(query, answer, {
        transport,
        random: this.#random,
        recursionAvailable: this.#forwarder !== undefined,
        maxAnswers: this.#maxAnswers,
        authoritative: authoritative && answer.rcode !== RCODE.SERVFAIL,
      }),
    );
  }

  #counted(rcode: number, bytes: Buffer): Buffer {
    this.#codes[rcode & 31]!++;
    return bytes;
  }
}

function refusalOf(query: DnsQuery): PreparedAnswer | undefined {
  if (query.edns !== undefined && query.edns.version > 0) return negativeAnswer(RCODE.BADVERS);
  if (query.class !== CLASS_IN && query.class !== CLASS_ANY) return negativeAnswer(RCODE.NOTIMP);
  if (query.type === TYPE.AXFR || query.type === TYPE.IXFR) return negativeAnswer(RCODE.REFUSED);
  return undefined;
}
