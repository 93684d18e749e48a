import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIP } from 'node:net';
import { UpsyncError } from '../../upstream/errors.ts';
import { type DnsQuery, HEADER_BYTES, RCODE, readQuery } from './wire.ts';

export interface ForwarderOptions {
  /** `10.0.0.2:53` or `10.0.0.2`; asked in order. */
  readonly servers: readonly string[];
  /** Bound of one try with one server. Milliseconds. */
  readonly timeoutMs: number;
  /** Questions under way at most; more are turned away. */
  readonly maxPending: number;
}

/** What the next server may well answer. */
const NO_ANSWERS: ReadonlySet<number> = new Set([RCODE.SERVFAIL, RCODE.NOTIMP, RCODE.REFUSED]);

interface Server {
  readonly host: string;
  readonly port: number;
}

/** Hands questions that are not ours to other resolvers and brings back what they say, byte for byte but for the id. */
export class Forwarder {
  readonly #servers: readonly Server[];
  readonly #options: ForwarderOptions;
  #pending = 0;

  /** @throws {UpsyncError} BAD_FORWARDER for an address that is no IP address with an optional port. */
  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#servers = options.servers.map(parseServer);
  }

  /**
   * The first server's answer that comes in time and fits the question; one that only says that it could not or would not answer
   * counts when no other server does better. Undefined when there is none.
   */
  async ask(
    bytes: Buffer,
    query: DnsQuery,
    transport: 'udp' | 'tcp',
    signal: AbortSignal,
  ): Promise<Buffer | undefined> {
    if (this.#pending >= this.#options.maxPending) return undefined;
    this.#pending++;
    let refusal: Buffer | undefined;
    try {
      for (const server of this.#servers) {
        if (signal.aborted) return undefined;
        // The client's id is guessable by whoever sent the question; the answer must not be.
        const sent = Buffer.from(bytes);
        sent.writeUInt16BE(randomInt(0x10000), 0);
        const reply = await (transport === 'udp' ? this.#udp : this.#tcp).call(this, server, sent, signal);
        if (reply === undefined || !fits(reply, sent, query)) continue;
        reply.writeUInt16BE(query.id, 0);
        if (!NO_ANSWERS.has(reply[3]! & 15)) return reply;
        refusal ??= reply;
      }
      return refusal;
    } finally {
      this.#pending--;
    }
  }

  // A socket of its own has a port of its own, which whoever forges an answer has to guess as well.
  #udp({ host, port }: Server, sent: Buffer, signal: AbortSignal): Promise<Buffer | undefined> {
    return this.#bounded(signal, (done) => {
      const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
      socket.on('error', () => done(undefined));
      socket.on('message', (reply) => {
        if (reply.length >= HEADER_BYTES && reply[0] === sent[0] && reply[1] === sent[1]) done(reply);
      });
      socket.connect(port, host, () => socket.send(sent));
      return () => socket.close();
    });
  }

  #tcp({ host, port }: Server, sent: Buffer, signal: AbortSignal): Promise<Buffer | undefined> {
    return this.#bounded(signal, (done) => {
      const socket = connect({ host, port });
      let got = Buffer.alloc(0);
      socket.on('error', () => done(undefined));
      socket.on('close', () => done(undefined));
      socket.on('data', (chunk) => {
        got = Buffer.concat([got, chunk]);
        if (got.length < 2) return;
        const length = got.readUInt16BE(0);
        if (got.length >= length + 2) done(Buffer.from(got.subarray(2, 2 + length)));
      });
      const head = Buffer.alloc(2);
      head.writeUInt16BE(sent.length, 0);
      socket.write(Buffer.concat([head, sent]));
      return () => socket.destroy();
    });
  }

  #bounded(
    signal: AbortSignal,
    start: (done: (reply: Buffer | undefined) => void) => () => void,
  ): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      let isDone = false;
      const done = (reply: Buffer | undefined): void => {
        if (isDone) return;
        isDone = true;
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        end();
        resolve(reply);
      };
      const stop = (): void => done(undefined);
      const timer = setTimeout(stop, this.#options.timeoutMs);
      signal.addEventListener('abort', stop, { once: true });
      const end = start(done);
    });
  }
}

function fits(reply: Buffer, sent: Buffer, query: DnsQuery): boolean {
  if (reply.length < HEADER_BYTES || reply[0] !== sent[0] || reply[1] !== sent[1]) return false;
  if ((reply[2]! & 0x80) === 0) return false;
  // Some servers leave the question out of a failure.
  if (reply.readUInt16BE(4) === 0) return (reply[3]! & 15) !== 0;
  const asQuery = Buffer.from(reply);
  asQuery[2]! &= 0x7f;
  const read = readQuery(asQuery);
  return (
    'question' in read && read.key === query.key && read.type === query.type && read.class === query.class
  );
}

/** A resolver to forward to, port 53 unless told. @throws {UpsyncError} BAD_FORWARDER */
export function parseServer(text: string): Server {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? text;
  const port = match?.[3] === undefined ? 53 : Number(match[3]);
  if (isIP(host) === 0 || port < 1 || port > 65_535)
    throw new UpsyncError(
      'BAD_FORWARDER',
      `${JSON.stringify(text.slice(0, 80))} is no resolver to forward to: expected 10.0.0.2:53 or [2001:db8::2]:53`,
    );
  return { host, port };
}
