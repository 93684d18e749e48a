/** DNS numbers by their names (IANA "Domain Name System Parameters"). */
export const TYPE = Object.freeze({
  A: 1,
  NS: 2,
  SOA: 6,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const);

export const RCODE = Object.freeze({
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** Extended: it takes an OPT record to say it. */
  BADVERS: 16,
} as const);

export const HEADER_BYTES = 12;
/** The only class there is, in practice. */
export const CLASS_IN = 1;
export const CLASS_ANY = 255;
/** Largest answer over UDP to a client without EDNS. Bytes. Source: RFC 1035 2.3.4. */
export const PLAIN_UDP_BYTES = 512;
/** Largest answer over UDP at all: fits one frame on any path. Bytes. Source: DNS flag day 2020. */
export const MAX_UDP_BYTES = 1232;
export const MAX_TCP_BYTES = 65_535;

const NAME_BYTES = 255;
const POINTER = 0xc0;

/** The part of a query that an answer depends on. */
export interface DnsQuery {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  /** The question as sent, letter case included: it is echoed. */
  readonly question: Buffer;
  /** The name in wire form, in lower case, as a latin1 string: equal names have equal keys. */
  readonly key: string;
  readonly type: number;
  readonly class: number;
  readonly edns: Edns | undefined;
}

export interface Edns {
  /** Bytes the client takes over UDP, as it says. */
  readonly udpBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
}

/** Bytes that are no query: what can be told of them. */
export interface BadQuery {
  /** Answer with this code; undefined when no answer is due at all (too short, or itself a response). */
  readonly rcode: number | undefined;
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
}

/** Reads a query by the strictest reading of RFC 1035 and 6891: exactly one question, at most one OPT. Never throws. */
export function readQuery(bytes: Buffer): DnsQuery | BadQuery {
  if (bytes.length < HEADER_BYTES || (bytes[2]! & 0x80) !== 0)
    return { rcode: undefined, id: 0, opcode: 0, recursionDesired: false };
  const id = (bytes[0]! << 8) | bytes[1]!;
  const opcode = (bytes[2]! >> 3) & 15;
  const recursionDesired = (bytes[2]! & 1) !== 0;
  const bad = (rcode: number): BadQuery => ({ rcode, id, opcode, recursionDesired });
  if (opcode !== 0) return bad(RCODE.NOTIMP);
  if (u16(bytes, 4) !== 1) return bad(RCODE.FORMERR);
  const nameEnd = endOfPlainName(bytes, HEADER_BYTES);
  if (nameEnd === undefined || nameEnd + 4 > bytes.length) return bad(RCODE.FORMERR);
  const edns = readRecords(bytes, nameEnd + 4);
  if (edns === 'malformed') return bad(RCODE.FORMERR);
  return {
    id,
    opcode,
    recursionDesired,
    question: bytes.subarray(HEADER_BYTES, nameEnd + 4),
    // Lengths of labels are below 64, so that lower-casing the whole changes letters only.
    key: bytes.toString('latin1', HEADER_BYTES, nameEnd).toLowerCase(),
    type: u16(bytes, nameEnd),
    class: u16(bytes, nameEnd + 2),
    edns,
  };
}

/** The labels of a key of `DnsQuery`. */
export function labelsOf(key: string): readonly string[] {
  const labels: string[] = [];
  for (let at = 0; at < key.length;) {
    const length = key.charCodeAt(at);
    if (length === 0) break;
    labels.push(key.slice(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return labels;
}

function readRecords(bytes: Buffer, start: number): Edns | undefined | 'malformed' {
  const others = u16(bytes, 6) + u16(bytes, 8);
  const count = others + u16(bytes, 10);
  let edns: Edns | undefined;
  let at = start;
  for (let index = 0; index < count; index++) {
    const nameEnd = endOfName(bytes, at);
    if (nameEnd === undefined || nameEnd + 10 > bytes.length) return 'malformed';
    const end = nameEnd + 10 + u16(bytes, nameEnd + 8);
    if (end > bytes.length) return 'malformed';
    if (u16(bytes, nameEnd) === TYPE.OPT) {
      if (edns !== undefined || index < others || bytes[at] !== 0) return 'malformed';
      const flags = u16(bytes, nameEnd + 6);
      edns = {
        udpBytes: u16(bytes, nameEnd + 2),
        version: bytes[nameEnd + 5]!,
        dnssecOk: (flags & 0x8000) !== 0,
      };
    }
    at = end;
  }
  return edns;
}

function u16(bytes: Buffer, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

// A question has nothing before it that a pointer could point to.
function endOfPlainName(bytes: Buffer, start: number): number | undefined {
  for (let at = start; at < bytes.length;) {
    const length = bytes[at]!;
    if (length >= 64) return undefined;
    at += 1 + length;
    if (at - start > NAME_BYTES) return undefined;
    if (length === 0) return at;
  }
  return undefined;
}

function endOfName(bytes: Buffer, start: number): number | undefined {
  for (let at = start; at < bytes.length;) {
    const length = bytes[at]!;
    if (length === 0) return at + 1;
    if ((length & POINTER) === POINTER) return at + 2;
    if (length >= 64) return undefined;
    at += 1 + length;
  }
  return undefined;
}
