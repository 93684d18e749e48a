import { readJsonAttributes } from '../upstream/attributes-json.ts';
import { createServer } from '../upstream/server.ts';
import { addressProblem, type ReadEntry, safeText } from './entry-address.ts';

/** An entry that is not a server and nothing to speak of, such as the key of a folder. */
export const NO_SERVER: ReadEntry = Object.freeze({ server: undefined, rejected: [] });

/**
 * Reads one key of a KV store as a server: the address is what follows the last slash (`upstreams/test/10.0.0.1:80`), or
 * everything from `unix:` on. The path before it is not compared with an upstream's name, and folders in between are
 * allowed, because the registry's own prefix match decides what belongs to a list. Folder keys are passed over.
 * Source: nginx-upsync-module, `ngx_http_upsync_check_key`; beyond it IPv6, host names and unix sockets are taken.
 * @param value gives the decoded value, undefined when it cannot be decoded; asked only when the address is usable.
 */
export function readKvEntry(key: string, value: () => string | undefined): ReadEntry {
  if (key.endsWith('/')) return NO_SERVER;
  const where = safeText(key);
  const unix = key.indexOf('/unix:/');
  const slash = unix >= 0 ? unix : key.lastIndexOf('/');
  if (slash < 0) {
    const reason = 'the key has no slash before the address';
    return { server: undefined, rejected: [{ where, code: 'BAD_KEY', reason }] };
  }
  const address = key.slice(slash + 1);
  const problem = addressProblem(address, where);
  if (problem) return { server: undefined, rejected: [problem] };
  const text = value();
  if (text === undefined) {
    const reason = 'the value is not base64; the server is used with default attributes';
    return { server: createServer(address), rejected: [{ where, code: 'BAD_JSON', reason }] };
  }
  const { attributes, problems } = readJsonAttributes(text, where);
  return { server: createServer(address, attributes), rejected: problems };
}
