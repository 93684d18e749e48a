import { encode, type Answer } from 'dns-packet';
import { isIPv4, isIPv6 } from 'node:net';
import { HEADER_BYTES } from './wire.ts';

/** Points at the name of the question, which always stands right after the header. */
export const QUESTION_POINTER = Buffer.from([0xc0, HEADER_BYTES]);

/** What a zone says of itself. */
export interface SoaOptions {
  /** The zone, without the last dot. */
  readonly zone: string;
  readonly nameServer: string;
  /** Time an answer that something does not exist may be kept. Seconds. */
  readonly negativeTtl: number;
  /** Of the record itself; the same in negative answers. Seconds. */
  readonly ttl: number;
}

/** One record in wire form under its full name. */
export function encodeRecord(record: Answer): Buffer {
  return encode({ type: 'response', answers: [record] }).subarray(HEADER_BYTES);
}

/** One record in wire form, for the name of the question: the name is a pointer, so that more records fit. */
export function encodeAnswer(record: Answer): Buffer {
  const whole = encodeRecord(record);
  return Buffer.concat([QUESTION_POINTER, whole.subarray(nameBytes(record.name))]);
}

/** A zone's SOA record, which tells how long a "does not exist" may be kept. Source: RFC 2308. */
export function soaRecord({ zone, nameServer, negativeTtl, ttl }: SoaOptions): Answer {
  return {
    type: 'SOA',
    name: zone,
    ttl,
    data: {
      mname: nameServer,
      rname: `hostmaster.${nameServer}`,
      // Answers change by themselves and nobody transfers the zone, so that the serial has nothing to say.
      serial: 1,
      refresh: 3600,
      retry: 600,
      expire: 86_400,
      minimum: negativeTtl,
    },
  };
}

/** Label of the synthetic name of an address: 8 hexadecimal digits for IPv4, 32 for IPv6. */
export function addressLabel(host: string): string | undefined {
  if (isIPv4(host)) return host.split('.').map(hexByte).join('');
  if (!isIPv6(host) || host.includes('%')) return undefined;
  return ipv6Groups(host)
    .map((group) => group.padStart(4, '0'))
    .join('');
}

/** The address behind a label of `addressLabel`. */
export function addressOfLabel(
  label: string,
): { readonly type: 'A' | 'AAAA'; readonly host: string } | undefined {
  if (/^[0-9a-f]{8}$/.test(label))
    return {
      type: 'A',
      host: label
        .match(/../g)!
        .map((pair) => parseInt(pair, 16))
        .join('.'),
    };
  if (/^[0-9a-f]{32}$/.test(label)) return { type: 'AAAA', host: label.match(/.{4}/g)!.join(':') };
  return undefined;
}

function hexByte(text: string): string {
  return Number(text).toString(16).padStart(2, '0');
}

function ipv6Groups(host: string): string[] {
  const mapped = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(host);
  const quad = mapped?.[2]?.split('.').map(hexByte);
  const text = mapped && quad ? `${mapped[1]}${quad[0]}${quad[1]}:${quad[2]}${quad[3]}` : host.toLowerCase();
  const [head = '', tail] = text.split('::');
  const before = head === '' ? [] : head.split(':');
  if (tail === undefined) return before;
  const after = tail === '' ? [] : tail.split(':');
  return [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
}

function nameBytes(name: string): number {
  return name === '' || name === '.' ? 1 : name.length + 2;
}
