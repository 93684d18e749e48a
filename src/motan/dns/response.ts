import { type PreparedAnswer, SRV_TARGET_OFFSET } from './answer.ts';
import { drawnRank, weightedOrder } from '../weighted-order.ts';
import {
  type BadQuery,
  type DnsQuery,
  HEADER_BYTES,
  MAX_TCP_BYTES,
  MAX_UDP_BYTES,
  PLAIN_UDP_BYTES,
  RCODE,
  TYPE,
} from './wire.ts';

export interface ResponseOptions {
  readonly transport: 'udp' | 'tcp';
  readonly random: () => number;
  /** Whether this server forwards what it does not know. */
  readonly recursionAvailable: boolean;
  /** Records per answer at most; 0 sets no bound but the size. */
  readonly maxAnswers: number;
  /** The name is ours to speak about. */
  readonly authoritative: boolean;
}

const OPT_BYTES = 11;
/** A pointer has 14 bits. */
const MAX_POINTER = 0x3fff;

/** Puts a response together: records in weighted order, as many as fit, TC when that leaves some out. */
export function writeResponse(query: DnsQuery, answer: PreparedAnswer, options: ResponseOptions): Buffer {
  const { question, edns } = query;
  const { records, authority } = answer;
  const order = records.length > 1 ? orderOf(answer, options.random) : FIRST;
  const wanted = options.maxAnswers > 0 ? Math.min(options.maxAnswers, records.length) : records.length;
  const limit = sizeLimit(query, options.transport) - (edns === undefined ? 0 : OPT_BYTES);
  let size = HEADER_BYTES + question.length + (authority?.length ?? 0);
  let count = 0;
  for (; count < wanted; count++) {
    const { length } = records[order[count]!]!.bytes;
    if (size + length > limit) break;
    size += length;
  }
  const isTruncated = count < wanted;
  let targets = 0;
  if (!isTruncated)
    for (; targets < count; targets++) {
      const target = records[order[targets]!]!.target;
      if (target === undefined) continue;
      if (size + 2 + target.length > limit) break;
      size += 2 + target.length;
    }
  const out = Buffer.allocUnsafe(size + (edns === undefined ? 0 : OPT_BYTES));
  let at = HEADER_BYTES + question.copy(out, HEADER_BYTES);
  const starts: number[] = [];
  for (let index = 0; index < count; index++) {
    starts.push(at);
    at += records[order[index]!]!.bytes.copy(out, at);
  }
  if (authority !== undefined) at += authority.copy(out, at);
  let additional = 0;
  for (let index = 0; index < targets; index++) {
    const target = records[order[index]!]!.target;
    const pointer = starts[index]! + SRV_TARGET_OFFSET;
    if (target === undefined || pointer > MAX_POINTER) continue;
    out.writeUInt16BE(0xc000 | pointer, at);
    at += 2 + target.copy(out, at + 2);
    additional++;
  }
  if (edns !== undefined) {
    at = writeOpt(out, at, answer.rcode, edns.dnssecOk);
    additional++;
  }
  writeHeader(out, query, answer.rcode, {
    isTruncated,
    isAuthoritative: options.authoritative,
    isRecursive: options.recursionAvailable,
  });
  out.writeUInt16BE(1, 4);
  out.writeUInt16BE(count, 6);
  out.writeUInt16BE(authority === undefined ? 0 : 1, 8);
  out.writeUInt16BE(additional, 10);
  return at === out.length ? out : out.subarray(0, at);
}

/** A response that only says a code, to bytes that are no good query. */
export function writeFailure(query: BadQuery, rcode: number): Buffer {
  const out = Buffer.alloc(HEADER_BYTES);
  writeHeader(out, query, rcode, { isTruncated: false, isAuthoritative: false, isRecursive: false });
  return out;
}

const FIRST = new Uint32Array(1);

function orderOf({ weights, ranks, isLeadDrawn }: PreparedAnswer, random: () => number): Uint32Array {
  const lead = isLeadDrawn && ranks !== undefined ? drawnRank(weights, ranks, random) : undefined;
  return weightedOrder(weights, random, ranks, lead);
}

function sizeLimit({ edns }: DnsQuery, transport: 'udp' | 'tcp'): number {
  if (transport === 'tcp') return MAX_TCP_BYTES;
  return edns === undefined
    ? PLAIN_UDP_BYTES
    : Math.min(MAX_UDP_BYTES, Math.max(PLAIN_UDP_BYTES, edns.udpBytes));
}

function writeHeader(
  out: Buffer,
  query: Pick<DnsQuery, 'id' | 'opcode' | 'recursionDesired'>,
  rcode: number,
  flags: { isTruncated: boolean; isAuthoritative: boolean; isRecursive: boolean },
): void {
  out.writeUInt16BE(query.id, 0);
  out[2] =
    0x80 |
    (query.opcode << 3) |
    (flags.isAuthoritative ? 4 : 0) |
    (flags.isTruncated ? 2 : 0) |
    (query.recursionDesired ? 1 : 0);
  out[3] = (flags.isRecursive ? 0x80 : 0) | (rcode & 15);
}

function writeOpt(out: Buffer, at: number, rcode: number, dnssecOk: boolean): number {
  out[at] = 0;
  out.writeUInt16BE(TYPE.OPT, at + 1);
  out.writeUInt16BE(MAX_UDP_BYTES, at + 3);
  out[at + 5] = rcode >= RCODE.BADVERS ? rcode >> 4 : 0;
  out[at + 6] = 0;
  out.writeUInt16BE(dnssecOk ? 0x8000 : 0, at + 7);
  out.writeUInt16BE(0, at + 9);
  return at + OPT_BYTES;
}
