import { parseGoDuration } from '../go-duration.ts';
import { badRequest, HttpError } from './errors.ts';

const MAX_UINT64 = (1n << 64n) - 1n;

/** How fresh the answer has to be. One process holds everything, so all three are the same data. */
export type ConsistencyMode = 'leader' | 'stale' | 'consistent';

/** What every read takes from its query string. */
export interface ReadOptions {
  /** 0 when the client does not wait. An index beyond 2^53 is rounded: no real one is that high. */
  readonly minIndex: number;
  readonly waitMs: number;
  readonly consistency: ConsistencyMode;
  readonly isCached: boolean;
  readonly filter: string;
}

/**
 * The query string as Consul's server takes it apart.
 * @throws {HttpError} 500 without a text for a bad escape or a semicolon, as Consul.
 */
export function parseQuery(text: string): URLSearchParams {
  if (text.includes(';') || /%(?![0-9a-fA-F]{2})/.test(text)) throw new HttpError(500, '');
  return new URLSearchParams(text);
}

/** Reads `index`, `wait`, `stale`, `consistent`, `cached`, `filter` and refuses another datacenter. */
export function readOptions(query: URLSearchParams, datacenter: string): ReadOptions {
  const wait = query.get('wait') ?? '';
  const waitMs = wait === '' ? 0 : parseGoDuration(wait);
  if (waitMs === undefined) throw badRequest('Invalid wait time');
  const index = query.get('index') ?? '';
  if (index !== '' && toUint64(index) === undefined) throw badRequest('Invalid index');
  const maxStale = query.get('max_stale') ?? '';
  if (maxStale !== '' && parseGoDuration(maxStale) === undefined)
    throw badRequest(`Invalid max_stale value ${JSON.stringify(maxStale)}`);
  const isCached = query.has('cached');
  if (query.has('consistent')) {
    if (query.has('stale'))
      throw badRequest('Cannot specify ?stale with ?consistent, conflicting semantics.');
    if (isCached) throw badRequest('Cannot specify ?cached with ?consistent, conflicting semantics.');
  }
  refuseOtherDatacenter(query, datacenter);
  return {
    minIndex: index === '' ? 0 : Number(toUint64(index)),
    waitMs,
    consistency: query.has('stale') ? 'stale' : query.has('consistent') ? 'consistent' : 'leader',
    isCached,
    filter: query.get('filter') ?? '',
  };
}

/** @throws {HttpError} 500 when the request is for a datacenter other than ours: there is no way to one. */
export function refuseOtherDatacenter(query: URLSearchParams, datacenter: string): void {
  const asked = query.get('datacenter') || query.get('dc') || datacenter;
  if (asked !== datacenter) throw new HttpError(500, 'No path to datacenter');
}

/** An unsigned 64-bit number in plain digits, or undefined. */
export function toUint64(text: string): bigint | undefined {
  if (!/^\d{1,100}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value <= MAX_UINT64 ? value : undefined;
}

/** The same for a parameter that Consul answers with 500 when it is bad. */
export function requireUint64(text: string): bigint {
  const value = toUint64(text);
  if (value !== undefined) return value;
  const reason = /^\d+$/.test(text) ? 'value out of range' : 'invalid syntax';
  throw new HttpError(500, `strconv.ParseUint: parsing ${JSON.stringify(text)}: ${reason}`);
}

/** A boolean as Go reads one, or undefined. */
export function toBoolean(text: string): boolean | undefined {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  return /^(0|f|F|false|FALSE|False)$/.test(text) ? false : undefined;
}
