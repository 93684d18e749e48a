import type { Logger } from '../../upstream/logger.ts';
import type { NameReader } from '../resolution.ts';

export interface DnsServerOptions {
  readonly resolver: NameReader;
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
  /** Distinct names that are watched for clients at most; those in use that have servers keep their place. @default 1000 */
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
