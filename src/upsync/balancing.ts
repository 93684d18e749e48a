import type { BalancerOptions, Method } from '../balancer/balancer.ts';
import { UpsyncError } from '../upstream/errors.ts';

/** A balancing method as directives of an `upstream` chose it. */
export interface Balancing {
  readonly method: Method;
  /** The text hashed for the hash methods, nginx variables in it: `$request_uri`. */
  readonly hashKey?: string;
  /** `bounded_hash`: most load of one server, as a multiple of the mean. */
  readonly loadFactor: number;
}

export const DEFAULT_LOAD_FACTOR = 1.25;
export const ROUND_ROBIN: Balancing = { method: 'round_robin', loadFactor: DEFAULT_LOAD_FACTOR };
/** Directives that choose the balancing method of an `upstream`. */
export const METHOD_DIRECTIVES: ReadonlySet<string> = new Set([
  'least_conn',
  'ip_hash',
  'hash',
  'random',
  'ewma',
  'bounded_hash',
]);
/** Directives that choose a method we do not have; to ignore them would balance otherwise than asked. */
export const UNKNOWN_METHOD_DIRECTIVES: ReadonlySet<string> = new Set(['least_time', 'sticky', 'fair']);

const LB_WORDS: Readonly<Record<string, readonly Method[]>> = {
  roundrobin: ['round_robin'],
  ip_hash: ['ip_hash'],
  least_conn: ['least_conn'],
  hash_modula: ['hash'],
  hash_ketama: ['hash_consistent'],
  random: ['random', 'random_two_least_conn'],
  ewma: ['ewma'],
  bounded_hash: ['bounded_hash'],
};
const KEYED: ReadonlySet<Method> = new Set(['hash', 'hash_consistent', 'bounded_hash']);

/**
 * Reads one balancing directive of an `upstream`: `least_conn`, `hash KEY [consistent]`, `bounded_hash KEY [factor=1.25]` …
 * @throws {UpsyncError} BAD_DIRECTIVE in nginx's words.
 */
export function parseMethod(name: string, args: readonly string[]): Balancing {
  const plain = (method: Method): Balancing => {
    if (args.length > 0) throw bad(`invalid number of arguments in "${name}" directive`);
    return { method, loadFactor: DEFAULT_LOAD_FACTOR };
  };
  switch (name) {
    case 'hash':
      return hash(args);
    case 'random':
      return random(args);
    case 'bounded_hash':
      return boundedHash(args);
    case 'least_conn':
    case 'ip_hash':
    case 'ewma':
      return plain(name);
    default:
      throw new TypeError(`"${name}" is not a balancing directive`);
  }
}

/**
 * The method in force when an `upstream` also has `upsync_lb WORD`, which selects a method or confirms the one that a
 * directive selected.
 * @throws {UpsyncError} BAD_DIRECTIVE for an unknown word, a contradiction, or a hash without a key.
 * Source: nginx-upsync-module README "upsync_lb". There any word is accepted and a contradiction goes unnoticed.
 */
export function withLbWord(word: string, chosen: Balancing | undefined): Balancing {
  const methods = LB_WORDS[word];
  if (methods === undefined)
    throw bad(
      `invalid value ${JSON.stringify(word.slice(0, 60))} in "upsync_lb", it must be one of ${Object.keys(LB_WORDS).join(', ')}`,
    );
  if (chosen !== undefined) {
    if (!methods.includes(chosen.method))
      throw bad(
        `"upsync_lb ${word}" contradicts the balancing method "${chosen.method.replaceAll('_', ' ')}" of this upstream`,
      );
    return chosen;
  }
  const method = methods[0]!;
  if (KEYED.has(method))
    throw bad(`"upsync_lb ${word}" needs to know what to hash: add "${directiveFor(method)}"`);
  return { method, loadFactor: DEFAULT_LOAD_FACTOR };
}

/** The balancer's options for a method. */
export function toBalancerOptions(balancing: Balancing, seed: number): BalancerOptions {
  return { method: balancing.method, seed, loadFactor: balancing.loadFactor };
}

function directiveFor(method: Method): string {
  if (method === 'hash') return 'hash KEY;';
  return method === 'bounded_hash' ? 'bounded_hash KEY;' : 'hash KEY consistent;';
}

function hash(args: readonly string[]): Balancing {
  const [key, mode] = args;
  if (key === undefined || args.length > 2) throw bad('invalid number of arguments in "hash" directive');
  if (mode !== undefined && mode !== 'consistent') throw bad(`invalid parameter ${JSON.stringify(mode)}`);
  const method = mode === undefined ? 'hash' : 'hash_consistent';
  return { method, hashKey: key, loadFactor: DEFAULT_LOAD_FACTOR };
}

function random(args: readonly string[]): Balancing {
  const [two, by] = args;
  if (args.length > 2) throw bad('invalid number of arguments in "random" directive');
  if (two !== undefined && two !== 'two') throw bad(`invalid parameter ${JSON.stringify(two)}`);
  if (by !== undefined && by !== 'least_conn')
    throw bad(`"random two ${by}" is not supported, only "random two least_conn" is`);
  // `two` alone means `two least_conn`. Source: nginx, ngx_http_upstream_module, "random".
  return { method: two === undefined ? 'random' : 'random_two_least_conn', loadFactor: DEFAULT_LOAD_FACTOR };
}

function boundedHash(args: readonly string[]): Balancing {
  const [key, factor] = args;
  if (key === undefined || args.length > 2)
    throw bad('invalid number of arguments in "bounded_hash" directive');
  if (factor === undefined) return { method: 'bounded_hash', hashKey: key, loadFactor: DEFAULT_LOAD_FACTOR };
  const value = /^factor=(\d{1,3}(?:\.\d{1,4})?)$/.exec(factor)?.[1];
  if (value === undefined || Number(value) < 1)
    throw bad(`invalid parameter ${JSON.stringify(factor)}, expected factor=N with N from 1`);
  return { method: 'bounded_hash', hashKey: key, loadFactor: Number(value) };
}

function bad(message: string): UpsyncError {
  return new UpsyncError('BAD_DIRECTIVE', message);
}
