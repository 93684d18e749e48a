/** Name of an upstream's file in the runtime directory; safe whatever the upstream is called. */
export function includeFileName(upstream: string): string {
  return `${safe(upstream)}.conf`;
}

/** Name of the file that holds the `upstream_show` text of one upstream. Upstream names are compared in any case. */
export function showFileName(upstream: string): string {
  return `by-name/${safe(upstream.toLowerCase())}.txt`;
}

/** Name of the file that holds the `upstream_show` text of all upstreams. */
export const SHOW_ALL_FILE = 'all.txt';
/** Name of the file that holds the answer for a name that does not exist. */
export const SHOW_UNKNOWN_FILE = 'unknown.txt';

// Everything else than plain characters becomes %XX by bytes, a leading dot as well, so that no two names meet.
function safe(name: string): string {
  const escape = (text: string): string =>
    [...Buffer.from(text, 'utf8')]
      .map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`)
      .join('');
  return name.replace(/[^A-Za-z0-9_.-]+/g, escape).replace(/^\.+/, escape);
}
