import { formatServerLine } from '../upstream/server-line.ts';
import type { Server } from '../upstream/server.ts';

/** One upstream as `upstream_show` prints it. */
export interface ShownUpstream {
  readonly name: string;
  /** Without indentation: `server 10.0.0.1:80 weight=1 max_fails=1 fail_timeout=10s;`. */
  readonly lines: readonly string[];
}

/** The answer for a name that no upstream has. */
export const UNKNOWN_UPSTREAM = 'The upstream you requested does not exist. Please double-check the name';
/** The answer when there is no upstream at all. */
export const NO_UPSTREAMS = 'No upstreams defined';

/** An upstream with these servers, as it is shown: primaries first, then backups, each in the list's order. */
export function shown(name: string, servers: readonly Server[]): ShownUpstream {
  const ordered = [...servers.filter(({ backup }) => !backup), ...servers.filter(({ backup }) => backup)];
  return { name, lines: ordered.map(formatServerLine) };
}

/**
 * The text of one upstream, byte for byte as nginx-upsync-module's `upstream_show` prints it.
 * Source: nginx-upsync-module, upsync_show_upstream(); upsync-semantics 6.1.
 */
export function formatUpstream({ name, lines }: ShownUpstream): string {
  const body = lines.map((line) => `        ${line}\n`).join('');
  return `Upstream name: ${name}; Backend server count: ${lines.length}\n${body}`;
}

/** The text of all upstreams in the order given: each is followed by an empty line, the last one too. */
export function formatAllUpstreams(upstreams: readonly ShownUpstream[]): string {
  if (upstreams.length === 0) return NO_UPSTREAMS;
  return upstreams.map((upstream) => `${formatUpstream(upstream)}\n`).join('');
}

/**
 * What `upstream_show` answers to a query: no query shows all, a name (in any case) shows that one.
 * @param query the raw query string; undefined or empty for none.
 */
export function showAnswer(upstreams: readonly ShownUpstream[], query: string | undefined): string {
  if (query === undefined || query === '') return formatAllUpstreams(upstreams);
  const wanted = query.toLowerCase();
  const found = upstreams.find(({ name }) => name.toLowerCase() === wanted);
  return found ? formatUpstream(found) : UNKNOWN_UPSTREAM;
}
