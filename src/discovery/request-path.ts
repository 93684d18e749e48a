import { SourceError } from './source-error.ts';

/** A URL path as the user typed it, with the token, which must not travel in a URL, taken out. */
export interface RequestPath {
  /** Without query, as typed: `/v1/kv/upstreams/test`. */
  readonly path: string;
  /** The query's parts as typed: `['dc=east', 'recurse']`. */
  readonly query: readonly string[];
  /** Value of a `token=` part. */
  readonly token: string | undefined;
}

/**
 * Takes the path of an `upsync` directive apart.
 * @throws {SourceError} SOURCE_BAD_OPTIONS when it does not begin with `/` or has characters no URL can have.
 */
export function parseRequestPath(typed: string): RequestPath {
  if (!/^\/[\x21-\x7e]*$/.test(typed) || typed.includes('#'))
    throw new SourceError(
      'SOURCE_BAD_OPTIONS',
      'the path of a registry must begin with / and hold plain characters only; write others as %XX',
    );
  const mark = typed.indexOf('?');
  const path = mark < 0 ? typed : typed.slice(0, mark);
  let token: string | undefined;
  const query = (mark < 0 ? '' : typed.slice(mark + 1)).split('&').filter((part) => {
    if (!part.startsWith('token=')) return part !== '';
    token = decodeComponent(part.slice('token='.length));
    return false;
  });
  return { path, query, token };
}

/** Puts a path and its query's parts together. */
export function joinQuery(path: string, query: readonly string[]): string {
  return query.length === 0 ? path : `${path}?${query.join('&')}`;
}

/** Name of a query part: `dc` for `dc=east`. */
export function partName(part: string): string {
  const equals = part.indexOf('=');
  return equals < 0 ? part : part.slice(0, equals);
}

/** Undoes %XX, leaving alone what is no valid %XX. */
export function decodeComponent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
