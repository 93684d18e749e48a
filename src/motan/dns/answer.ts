import { isIPv4, isIPv6 } from 'node:net';
import { isHostName } from '../../upstream/address.ts';
import { standby } from '../connect/choose.ts';
import type { Resolution, ResolvedServer } from '../resolution.ts';
import { addressLabel, encodeAnswer, encodeRecord } from './records.ts';
import { RCODE, TYPE } from './wire.ts';

/** One record of an answer, encoded once and sent many times. */
export interface PreparedRecord {
  readonly bytes: Buffer;
  /** Decides the order, and so who gets the traffic of clients that take the first. */
  readonly weight: number;
  /** Records of a lower rank stand first. */
  readonly rank: number;
  /** For SRV: type, class, TTL and address of the target; its name is a pointer to the target of the record. */
  readonly target?: Buffer | undefined;
}

/** Everything that is the same in each answer to one question until the resolution changes. */
export interface PreparedAnswer {
  readonly rcode: number;
  readonly records: readonly PreparedRecord[];
  readonly weights: Float64Array;
  /** Given when the order must keep ranks apart. */
  readonly ranks: Float64Array | undefined;
  /** One rank, drawn anew by weight for each answer, stands in front of the others. */
  readonly isLeadDrawn: boolean;
  /** SOA of a negative answer. */
  readonly authority: Buffer | undefined;
}

export interface AnswerOptions {
  readonly ttl: number;
  /** Name below which addresses have names of their own: `addr.idc.local`. */
  readonly addressZone: string;
  /** Encoded SOA record for negative answers about this name. */
  readonly soa: Buffer;
}

/** Where target names begin in an SRV record whose own name is a pointer. Bytes. */
export const SRV_TARGET_OFFSET = 18;

/** An answer of fixed records, in their order. */
export function fixedAnswer(records: readonly Buffer[]): PreparedAnswer {
  return prepared(
    records.map((bytes, at) => ({ bytes, weight: 1, rank: at })),
    false,
  );
}

/** An answer without records: NXDOMAIN, or NOERROR for a name that exists with other types. */
export function negativeAnswer(rcode: number, soa?: Buffer): PreparedAnswer {
  return { rcode, records: [], weights: EMPTY, ranks: undefined, isLeadDrawn: false, authority: soa };
}

/**
 * The answer to a question about a name, from its resolution. Pure.
 *
 * Addresses are those of the servers with a share of the traffic, IDC by IDC in the order of their ranks; where several IDCs
 * have a share, each leads as often as that says. So a client that takes the first address follows the ranking, over IDCs too,
 * and one that goes on to the next stays in an IDC as long as it can. SRV lists them with the IDC's rank as priority, and after them the healthy servers of
 * the IDCs further down, for clients that fall back by themselves. A registry that knows no server at all makes the name
 * unknown; one that cannot be asked makes it a failure, which no cache may keep as "does not exist".
 */
export function answerFor(type: number, resolution: Resolution, options: AnswerOptions): PreparedAnswer {
  const { servers, state } = resolution;
  if (servers.length === 0) {
    if (state === 'live') return negativeAnswer(RCODE.NXDOMAIN, options.soa);
    return negativeAnswer(RCODE.SERVFAIL);
  }
  const { name } = resolution;
  const wanted = type === TYPE.ANY && !servers.some(({ host }) => isIPv4(host)) ? TYPE.AAAA : type;
  const records =
    wanted === TYPE.SRV
      ? [...servers.filter(({ share }) => share > 0), ...standby(resolution)].flatMap((server) =>
          srvRecord(name, server, options),
        )
      : wanted === TYPE.A || wanted === TYPE.ANY
        ? addressRecords(name, servers, 'A', options.ttl)
        : wanted === TYPE.AAAA
          ? addressRecords(name, servers, 'AAAA', options.ttl)
          : [];
  return records.length === 0
    ? negativeAnswer(RCODE.NOERROR, options.soa)
    : prepared(records, wanted !== TYPE.SRV);
}

/** One address record under the question's name. */
export function addressRecord(name: string, type: 'A' | 'AAAA', host: string, ttl: number): Buffer {
  return encodeAnswer({ type, name, ttl, data: host });
}

const EMPTY = new Float64Array(0);

function prepared(records: readonly PreparedRecord[], isLeadDrawn: boolean): PreparedAnswer {
  const isRanked = records.some(({ rank }) => rank !== records[0]!.rank);
  return {
    rcode: RCODE.NOERROR,
    records,
    weights: Float64Array.from(records, ({ weight }) => weight),
    ranks: isRanked ? Float64Array.from(records, ({ rank }) => rank) : undefined,
    isLeadDrawn: isRanked && isLeadDrawn,
    authority: undefined,
  };
}

function addressRecords(
  name: string,
  servers: readonly ResolvedServer[],
  type: 'A' | 'AAAA',
  ttl: number,
): PreparedRecord[] {
  const fits = type === 'A' ? isIPv4 : isIPv6;
  // Two servers of a name may share a host; its record then stands once, for both, where the better one stands.
  const hosts = new Map<string, { weight: number; rank: number }>();
  for (const { host, share, rank } of servers) {
    if (share <= 0 || !fits(host)) continue;
    const known = hosts.get(host);
    if (known === undefined) hosts.set(host, { weight: share, rank });
    else known.weight += share;
  }
  return [...hosts].map(([host, place]) => ({ bytes: addressRecord(name, type, host, ttl), ...place }));
}

function srvRecord(
  name: string,
  server: ResolvedServer,
  { ttl, addressZone }: AnswerOptions,
): PreparedRecord[] {
  const { host, port, weight, rank } = server;
  const label = addressLabel(host);
  if (label === undefined && !isHostName(host)) return [];
  const target = label === undefined ? host : `${label}.${addressZone}`;
  const bytes = encodeAnswer({
    type: 'SRV',
    name,
    ttl,
    data: { priority: rank, weight: Math.min(weight, 65_535), port, target },
  });
  const address =
    label === undefined
      ? undefined
      : encodeRecord({ type: label.length === 8 ? 'A' : 'AAAA', name: '.', ttl, data: host }).subarray(1);
  return [{ bytes, weight, rank, target: address }];
}
