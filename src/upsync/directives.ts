import path from 'node:path';
import type { RegistryTls, SourceOptions, SourceType } from '../discovery/source.ts';
import { UpsyncError } from '../upstream/errors.ts';
import { ConfigError, type Place } from './config-error.ts';
import { DirectiveParameters, type ParameterName } from './directive-parameters.ts';
import { parseRegistryAddress } from './registry-address.ts';

export const DEFAULT_INTERVAL_MS = 5000;
export const DEFAULT_TIMEOUT_MS = 360_000;
/** The round-robin cycle starts at a place of its own in each worker of each host. */
export const SEED_PER_WORKER = -1;

/** Where a directive stands, and the folder that its relative file names belong to (nginx: that of the main file). */
export interface DirectiveContext extends Place {
  readonly folder: string;
}

/** What one `upsync` directive says. */
export interface UpsyncDirective {
  readonly source: SourceOptions;
  readonly strongDependency: boolean;
  readonly allowEmpty: boolean;
  /** Start of the round-robin cycle: 0 is nginx's exact sequence. @default SEED_PER_WORKER */
  readonly seed: number;
  /** Ramp of servers whose registry entry names none, in milliseconds. @default 0 */
  readonly slowStartMs: number;
}

const TYPES: readonly SourceType[] = ['consul', 'consul_services', 'consul_health', 'etcd', 'file'];
const TLS: readonly ParameterName[] = ['ca', 'cert', 'key', 'server_name'];
const CONSUL_ONLY: readonly ParameterName[] = ['dc', 'consistency', 'cached'];
const SERVICE_ONLY: readonly ParameterName[] = ['tag', 'filter', 'use_weights'];

/**
 * Reads the arguments of an `upsync` directive, the word `upsync` left out:
 * `['127.0.0.1:8500/v1/kv/upstreams/test', 'upsync_type=consul']`.
 * @throws {ConfigError} BAD_DIRECTIVE naming the parameter (and the nearest known name), file and line.
 * Source: nginx-upsync-module README "upsync"; docs/directives.md lists what is added.
 */
export function parseUpsyncDirective(args: readonly string[], context: DirectiveContext): UpsyncDirective {
  try {
    const [first, ...words] = args;
    if (first === undefined) throw bad('invalid number of arguments in "upsync" directive');
    const parameters = new DirectiveParameters(words);
    return {
      source: sourceOf(first, parameters, context.folder),
      strongDependency: parameters.flag('strong_dependency') ?? false,
      allowEmpty: parameters.flag('allow_empty') ?? false,
      seed: parameters.count('seed') ?? SEED_PER_WORKER,
      slowStartMs: parameters.duration('slow_start') ?? 0,
    };
  } catch (error) {
    if (!(error instanceof UpsyncError)) throw error;
    throw new ConfigError(error.message, context, { cause: error, code: error.code });
  }
}

/**
 * Where the last good list of an upstream is kept. A relative path belongs to nginx's prefix.
 * Source: nginx-upsync-module README "upsync_dump_path".
 */
export function dumpPathOf(upstream: string, given: string | undefined, prefix: string): string {
  // A slash in an upstream's name must not lead out of the folder.
  if (given === undefined) return `/tmp/servers_${upstream.replaceAll('/', '_')}.conf`;
  return path.resolve(prefix, given);
}

function sourceOf(first: string, parameters: DirectiveParameters, folder: string): SourceOptions {
  const type = parameters.word('upsync_type', TYPES);
  if (type === undefined)
    throw bad(`"upsync_type" is missing in the "upsync" directive: one of ${TYPES.join(', ')}`);
  checkScope(type, parameters);
  const where =
    type === 'file' ? { addresses: [], path: path.resolve(folder, first) } : parseRegistryAddress(first);
  checkTls(where.addresses, parameters);
  const file = (name: ParameterName): string | undefined => {
    const value = parameters.text(name);
    return value === undefined ? undefined : path.resolve(folder, value);
  };
  const tls: RegistryTls = defined({
    ca: file('ca'),
    cert: file('cert'),
    key: file('key'),
    serverName: parameters.text('server_name'),
  });
  return {
    type,
    ...where,
    intervalMs: parameters.duration('upsync_interval') ?? DEFAULT_INTERVAL_MS,
    timeoutMs: parameters.duration('upsync_timeout') ?? DEFAULT_TIMEOUT_MS,
    ...(Object.keys(tls).length > 0 ? { tls } : {}),
    ...defined({
      token: parameters.text('token'),
      tokenFile: file('token_file'),
      dc: parameters.text('dc'),
      tags: parameters.texts('tag'),
      filter: parameters.text('filter'),
      passing: parameters.flag('passing'),
      consistency: parameters.word('consistency', ['default', 'stale', 'consistent']),
      cached: parameters.flag('cached'),
      useWeights: parameters.flag('use_weights'),
    }),
  };
}

// A parameter that cannot do anything is a mistake: the user believes that it does.
function checkScope(type: SourceType, parameters: DirectiveParameters): void {
  const refuse = (names: readonly ParameterName[], remedy: string): void => {
    const given = names.find((name) => parameters.has(name));
    if (given !== undefined) throw bad(`"${given}" means nothing with upsync_type=${type}: ${remedy}`);
  };
  if (type === 'file') refuse(['token', 'token_file', ...TLS, ...CONSUL_ONLY], 'the list is a file');
  if (type === 'etcd') refuse(CONSUL_ONLY, 'it belongs to Consul');
  if (type !== 'consul_services' && type !== 'consul_health')
    refuse(SERVICE_ONLY, 'use consul_services or consul_health');
  if (type !== 'consul_health') refuse(['passing'], 'use consul_health');
  if (parameters.has('token') && parameters.has('token_file'))
    throw bad('"token" and "token_file" cannot both stand in one "upsync" directive');
  if (parameters.has('cert') !== parameters.has('key'))
    throw bad('"cert" and "key" must both be given in the "upsync" directive');
  if (parameters.flag('cached') === true && parameters.text('consistency') === 'consistent')
    throw bad('"cached" and "consistency=consistent" contradict each other');
}

function checkTls(addresses: readonly string[], parameters: DirectiveParameters): void {
  const given = TLS.find((name) => parameters.has(name));
  if (given !== undefined && !addresses.some((address) => address.startsWith('https:')))
    throw bad(`"${given}" needs an address that begins with https://`);
}

function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function bad(message: string): UpsyncError {
  return new UpsyncError('BAD_DIRECTIVE', message);
}
