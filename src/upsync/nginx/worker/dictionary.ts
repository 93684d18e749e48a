import { DICTIONARY } from './names.ts';

/**
 * The shared dictionary, seen by all workers at once. Nothing is ever evicted: only `safe_…` calls create keys, and
 * every counter and event slot exists before the first request, so that moving it later needs no memory.
 *
 * | key | value | flags |
 * |---|---|---|
 * | `boot` | a random text; another one after nginx was restarted | |
 * | `cycle` | how often the configuration was loaded since | |
 * | `n` | the generation: how many events there were | |
 * | `lists` | the generation of the newest list of all | |
 * | `e/<slot>` | an event (events.ts) | its number |
 * | `v/<upstream>` | the version in force | CRC-32 of its list's text, as a signed number |
 * | `g/<upstream>` | the generation from which that version is in force | the upstream's number |
 * | `l/<upstream>/<version>` | the list's text (list.ts) | |
 * | `w/<cycle>/<worker>/pid`, `…/gen`, `…/bad` | a worker's process, the generation it has put to work, what it could not | |
 * | `c/<cycle>/<worker>/<upstream's number>/<address>` | requests a worker has at a server with `max_conns` | |
 * | `k/<cycle>/<worker>/<upstream's number>` | requests a worker has at each server (methods that compare loads) | |
 */
export const dict = ngx.shared[DICTIONARY]!;

/** Kept free for the small keys of the workers, so that lists can never take the last of the memory. Bytes. */
export const RESERVE = 65_536;

export const BOOT = 'boot';
export const CYCLE = 'cycle';
export const GENERATION = 'n';
export const LISTS = 'lists';
const UPSTREAM_NUMBERS = 'ids';

/** A number kept under `key`, 0 when there is none. */
export function numberAt(key: string): number {
  const [value] = dict.get(key);
  return (value as number | undefined) ?? 0;
}

/** A text kept under `key`. */
export function textAt(key: string): string | undefined {
  const [value] = dict.get(key);
  return value as string | undefined;
}

/** The flags kept with `key`, 0 when there are none. */
export function flagsAt(key: string): number {
  const [, flags] = dict.get(key);
  return flags ?? 0;
}

/** An entry's flags are a signed 32-bit integer; a CRC-32 is none. */
export function hashToFlags(hash: number): number {
  return hash >= 2_147_483_648 ? hash - 4_294_967_296 : hash;
}

/** The CRC-32 kept as flags with `key`. */
export function hashAt(key: string): number {
  const flags = flagsAt(key);
  return flags < 0 ? flags + 4_294_967_296 : flags;
}

/** Creates what every worker counts on. Runs in the nginx master, at start and at each HUP; what exists stays. */
export function prepare(eventSlots: readonly string[]): void {
  dict.safe_add(BOOT, randomText());
  dict.safe_add(CYCLE, 0);
  dict.safe_add(GENERATION, 0);
  dict.safe_add(LISTS, 0);
  dict.safe_add(UPSTREAM_NUMBERS, 0);
  for (const slot of eventSlots) dict.safe_add(slot, 0);
}

/** The number by which events name the upstream; the same for as long as the dictionary lives. */
export function upstreamNumber(name: string): number {
  const key = `g/${name}`;
  const known = flagsAt(key);
  if (known > 0) return known;
  const [number] = dict.incr(UPSTREAM_NUMBERS, 1);
  dict.safe_set(key, 0, 0, number);
  dict.safe_add(`v/${name}`, 0);
  return number ?? 0;
}

/** Unpredictable, and different in each nginx master. */
function randomText(): string {
  const [source] = io.open('/dev/urandom', 'rb');
  const bytes = source?.read(8);
  source?.close();
  if (typeof bytes !== 'string') return `${os.time()}-${ngx.now()}`;
  const [hex] = string.gsub(bytes, '.', (byte: string) => string.format('%02x', string.byte(byte)));
  return hex;
}
