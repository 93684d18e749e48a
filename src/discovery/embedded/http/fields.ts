import { parseGoDuration } from '../go-duration.ts';
import { badRequest, type HttpError } from './errors.ts';

const DECODE = 'Request decode failed: ';
const NANOSECONDS_PER_MS = 1e6;

/** Parses a request body as Consul does: any value, but an empty or cut body is told apart. */
export function parseBody(text: string): unknown {
  if (text.trim() === '') throw badRequest(`${DECODE}EOF`);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const isCut =
      error instanceof Error &&
      /end of JSON|Unterminated|Expected .* in JSON at position \d+$/.test(error.message);
    throw badRequest(DECODE + (isCut ? 'unexpected EOF' : 'invalid character in JSON'));
  }
}

/**
 * The members of one JSON object, found whatever their case, as Consul's decoder does; unknown members are refused by
 * name. Each reader gives the type's zero value for a member that is absent or null.
 */
export class Fields {
  readonly #members = new Map<string, unknown>();

  /** @throws {HttpError} 400 when `value` is no object or has a member that is not in `names`. */
  constructor(value: unknown, names: readonly string[]) {
    if (typeof value !== 'object' || Array.isArray(value)) throw mismatch(value, 'a struct');
    const known = new Set(names.map((name) => name.toLowerCase()));
    for (const [name, member] of Object.entries(value ?? {})) {
      if (!known.has(name.toLowerCase()))
        throw badRequest(`${DECODE}json: unknown field ${JSON.stringify(name)}`);
      if (member !== null) this.#members.set(name.toLowerCase(), member);
    }
  }

  raw(name: string): unknown {
    return this.#members.get(name.toLowerCase());
  }

  has(name: string): boolean {
    return this.#members.has(name.toLowerCase());
  }

  string(...names: string[]): string {
    for (const name of names) {
      const value = this.raw(name) ?? '';
      if (typeof value !== 'string') throw mismatch(value, 'string', name);
      if (value !== '') return value;
    }
    return '';
  }

  integer(name: string): number {
    const value = this.raw(name) ?? 0;
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw mismatch(value, 'int', name);
    return value;
  }

  boolean(...names: string[]): boolean {
    for (const name of names) {
      const value = this.raw(name) ?? false;
      if (typeof value !== 'boolean') throw mismatch(value, 'bool', name);
      if (value) return true;
    }
    return false;
  }

  strings(name: string): string[] | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    if (!Array.isArray(value)) throw mismatch(value, '[]string', name);
    return value.map((item) => {
      if (typeof item !== 'string') throw mismatch(item, 'string', name);
      return item;
    });
  }

  stringMap(name: string): Record<string, string> | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    if (typeof value !== 'object' || Array.isArray(value)) throw mismatch(value, 'map[string]string', name);
    const map: Record<string, string> = {};
    for (const [key, item] of Object.entries(value as object)) {
      if (typeof item !== 'string') throw mismatch(item, 'string', name);
      // Not by assignment: a member called __proto__ is data like any other.
      Object.defineProperty(map, key, { value: item, enumerable: true, writable: true, configurable: true });
    }
    return map;
  }

  list(name: string): unknown[] {
    const value = this.raw(name) ?? [];
    if (!Array.isArray(value)) throw mismatch(value, 'a list', name);
    return value as unknown[];
  }

  /** Milliseconds; Consul takes text (`10s`) or a number of nanoseconds. */
  durationMs(...names: string[]): number {
    const value = names.map((name) => this.raw(name)).find((found) => found !== undefined);
    if (value === undefined) return 0;
    if (typeof value === 'number') return value / NANOSECONDS_PER_MS;
    const ms = typeof value === 'string' ? parseGoDuration(value) : undefined;
    if (ms === undefined) throw badRequest(`${DECODE}time: invalid duration ${JSON.stringify(value)}`);
    return ms;
  }
}

function mismatch(value: unknown, wanted: string, member?: string): HttpError {
  const kind = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
  const target = member === undefined ? 'value' : `struct field ${member}`;
  return badRequest(
    `${DECODE}json: cannot unmarshal ${kind === 'boolean' ? 'bool' : kind} into Go ${target} of type ${wanted}`,
  );
}
