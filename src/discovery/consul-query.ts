import { joinQuery, parseRequestPath, partName } from './request-path.ts';
import { SourceError } from './source-error.ts';
import type { SourceOptions } from './source.ts';

/** What one Consul poll asks for, index and wait left out. */
export interface ConsulQuery {
  /** `/v1/kv/upstreams/test`, as typed. */
  readonly path: string;
  readonly query: readonly string[];
  /** From the options or from a `token=` typed into the path. */
  readonly token: string | undefined;
}

/**
 * Builds the query of a Consul source: what the user typed stays, our parameters are added.
 * @throws {SourceError} SOURCE_BAD_OPTIONS when an option means nothing for this type, or options exclude each other.
 */
export function consulQuery(options: SourceOptions): ConsulQuery {
  const typed = parseRequestPath(options.path);
  // Index and wait are the poll loop's own.
  const query = typed.query.filter((part) => !['index', 'wait'].includes(partName(part)));
  const add = (name: string, value?: string): void => {
    query.push(value === undefined ? name : `${name}=${encodeURIComponent(value)}`);
  };
  const isKv = options.type === 'consul';
  if (isKv && !query.some((part) => partName(part) === 'recurse')) add('recurse');
  if (options.dc !== undefined) add('dc', options.dc);
  if (options.consistency === 'stale') add('stale');
  if (options.consistency === 'consistent') add('consistent');
  const serviceOnly: [string, boolean][] = [
    ['tag', (options.tags?.length ?? 0) > 0],
    ['filter', options.filter !== undefined],
    ['cached', options.cached === true],
    ['weights', options.useWeights === true],
  ];
  for (const [name, wanted] of serviceOnly)
    if (wanted && isKv) throw unusable(name, 'only consul_services and consul_health know it');
  if (options.passing === true && options.type !== 'consul_health')
    throw unusable('passing', 'only consul_health knows it');
  if (options.cached === true && options.consistency === 'consistent')
    throw unusable('cached', 'it excludes consistent');
  for (const tag of options.tags ?? []) add('tag', tag);
  if (options.filter !== undefined) add('filter', options.filter);
  if (options.passing === true) add('passing');
  if (options.cached === true) add('cached');
  return { path: typed.path, query, token: options.token ?? typed.token };
}

/** Path and query of one request; index 0 asks for the list at once. */
export function consulUrl({ path, query }: ConsulQuery, index: bigint, waitMs: number): string {
  if (index === 0n) return joinQuery(path, query);
  return joinQuery(path, [...query, `index=${index}`, `wait=${waitMs}ms`]);
}

function unusable(name: string, why: string): SourceError {
  return new SourceError('SOURCE_BAD_OPTIONS', `${name} cannot be used here: ${why}`);
}
