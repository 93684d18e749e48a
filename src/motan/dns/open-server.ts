import { setMaxListeners } from 'node:events';
import { errorText } from '../../upstream/errors.ts';
import { type Logger, SILENT } from '../../upstream/logger.ts';
import { negativeAnswer, type PreparedAnswer } from './answer.ts';
import { Forwarder } from './forwarder.ts';
import { writeFailure, writeResponse } from './response.ts';
import { bindBoth, serveTcp, serveUdp, type Transport } from './sockets.ts';
import { CLASS_ANY, CLASS_IN, type DnsQuery, RCODE, readQuery, TYPE } from './wire.ts';
import { checkedSuffix } from './suffix.ts';
import { Zone } from './zone.ts';
import { DNS_DEFAULTS, type DnsServer, type DnsServerOptions, type DnsStats } from './options.ts';

const MAX_FORWARDED = 512;
const CODES = Object.entries(RCODE);

/** The whole of `createDnsServer`. */
export async function openDnsServer(options: DnsServerOptions): Promise<DnsServer> {
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
    // Every question that is forwarded listens to it; many at once are no leak.
    setMaxListeners(0, this.#ended.signal);
    this.#zone = zone;
    this.#forwarder = forwarder;
    this.#logger = options.logger ?? SILENT;
    this.#random = options.random ?? Math.random;
    this.#maxAnswers = options.maxAnswers ?? 0;
  }

  /** Answers bytes from the network, now or later; false when not at all. Never throws. */
  readonly handle = (bytes: Buffer, transport: 'udp' | 'tcp', reply: (bytes: Buffer) => void): boolean => {
    this.#queries++;
    const query = readQuery(bytes);
    if (!('question' in query)) {
      if (query.rcode === undefined) this.#dropped++;
      else reply(this.#counted(query.rcode, writeFailure(query, query.rcode)));
      return query.rcode !== undefined;
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
    return true;
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
      (error: unknown) => {
        this.#logger.error({ reason: errorText(error) }, 'dns_forward_failed');
        reply(this.#written(query, negativeAnswer(RCODE.SERVFAIL), transport, false));
      },
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
