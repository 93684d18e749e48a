import { MAX_DURATION_MS, parseDuration } from './duration.ts';
import type { RejectedEntry } from './errors.ts';
import { parseLooseJson } from './loose-json.ts';
import { MAX_COUNT, type ServerAttributes } from './server-line.ts';
import { MAX_WEIGHT } from './server-type.ts';
import { SERVER_DEFAULTS } from './server.ts';

/** What was read of one entry: complete attributes, and what in it was not usable. */
export interface ReadAttributes {
  readonly attributes: ServerAttributes;
  readonly problems: readonly RejectedEntry[];
}

/** Longest value that is parsed, in UTF-16 units; attributes need less than 200. */
export const MAX_VALUE_LENGTH = 16_384;

type Writable = { -readonly [K in keyof ServerAttributes]: ServerAttributes[K] };
type Report = (field: string, why: string) => void;

/**
 * Reads the value of a registry entry, a JSON object such as `{"weight":5,"max_fails":2,"fail_timeout":10,"down":0}`.
 * Never throws and never loses the server: what is absent or unusable becomes the default, and is reported when unusable.
 * Field names count in any case, numbers may be digit strings, `fail_timeout` is whole seconds. Beyond the module:
 * `backup` is honoured and `max_conns`, `slow_start` (seconds, or an nginx time) and `drain` are read.
 * Source: nginx-upsync-module, `ngx_http_upsync_consul_parse_json`.
 * @param where the entry's place, for the reports.
 */
export function readJsonAttributes(text: string, where: string): ReadAttributes {
  if (text === '') return { attributes: SERVER_DEFAULTS, problems: [] };
  const refuse = (code: string, reason: string): ReadAttributes => ({
    attributes: SERVER_DEFAULTS,
    problems: [{ where, code, reason: `${reason}; the server is used with default attributes` }],
  });
  if (text.length > MAX_VALUE_LENGTH)
    return refuse('VALUE_TOO_LONG', `the value is longer than ${MAX_VALUE_LENGTH} characters`);
  let value: unknown;
  try {
    value = parseLooseJson(text);
  } catch {
    return refuse('BAD_JSON', 'the value is not JSON');
  }
  return readAttributeFields(value, where);
}

/** Same as {@link readJsonAttributes} for a value that is parsed already; anything but an object means all defaults. */
export function readAttributeFields(value: unknown, where: string): ReadAttributes {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { attributes: SERVER_DEFAULTS, problems: [] };
  const attributes: Writable = { ...SERVER_DEFAULTS };
  const problems: RejectedEntry[] = [];
  const seen = new Set<string>();
  const report: Report = (field, why) =>
    problems.push({ where, code: 'BAD_ATTRIBUTE', reason: `"${field}" ${why}` });
  for (const [name, raw] of Object.entries(value)) {
    const field = name.length <= 12 ? name.toLowerCase() : '';
    // The first of several spellings counts, as in the module's parser.
    if (seen.has(field)) continue;
    seen.add(field);
    readField(attributes, field, raw, report);
  }
  return { attributes: Object.freeze(attributes), problems };
}

function readField(into: Writable, field: string, raw: unknown, report: Report): void {
  switch (field) {
    case 'weight':
      into.weight = readWeight(raw, report);
      return;
    case 'max_fails':
      into.maxFails = readCount(field, raw, into.maxFails, MAX_COUNT, report);
      return;
    case 'fail_timeout': {
      const least = SERVER_DEFAULTS.failTimeoutMs / 1000;
      into.failTimeoutMs = readCount(field, raw, least, Math.floor(MAX_DURATION_MS / 1000), report) * 1000;
      return;
    }
    case 'max_conns':
      into.maxConns = readCount(field, raw, into.maxConns, MAX_COUNT, report);
      return;
    case 'slow_start':
      into.slowStartMs = readSlowStart(raw, report);
      return;
    case 'down':
    case 'backup':
    case 'drain':
      into[field] = readFlag(field, raw, report);
  }
}

function readWeight(raw: unknown, report: Report): number {
  const weight = wholeNumber(raw);
  if (weight === undefined || weight <= 0) {
    report('weight', 'must be a whole number from 1; 1 is used');
    return 1;
  }
  if (weight > MAX_WEIGHT) report('weight', `is above ${MAX_WEIGHT}, which is used instead`);
  return Math.min(weight, MAX_WEIGHT);
}

function readCount(field: string, raw: unknown, standard: number, most: number, report: Report): number {
  // The module's JSON parser stores null as the number 0.
  const number = raw === null ? 0 : wholeNumber(raw);
  if (number !== undefined && number >= 0) {
    if (number > most) report(field, `is above ${most}, which is used instead`);
    return Math.min(number, most);
  }
  // The module passes a negative number over in silence and logs everything else.
  if (typeof raw !== 'number') report(field, `must be a whole number from 0; ${standard} is used`);
  return standard;
}

function readFlag(field: string, raw: unknown, report: Report): boolean {
  const number = raw === null ? 0 : wholeNumber(raw);
  if (number !== 0 && number !== 1) report(field, 'must be 0 or 1; 0 is used');
  return number === 1;
}

function readSlowStart(raw: unknown, report: Report): number {
  if (raw === null || raw === false) return 0;
  try {
    const text = typeof raw === 'number' ? String(Math.trunc(raw)) : raw;
    if (typeof text === 'string') return parseDuration(text);
  } catch {
    // Reported below, with the other kinds of wrong values.
  }
  report('slow_start', 'must be seconds or a time such as 30s; 0 is used');
  return 0;
}

/** Numbers lose their fraction, digit strings and booleans count as numbers, anything else as nothing. */
function wholeNumber(raw: unknown): number | undefined {
  if (typeof raw === 'number') return Math.trunc(raw) || 0;
  if (typeof raw === 'boolean') return raw ? 1 : 0;
  if (typeof raw === 'string' && /^\d{1,18}$/.test(raw)) return Number(raw);
  return undefined;
}
