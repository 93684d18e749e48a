import { readAttributeFields } from '../upstream/attributes-json.ts';
import type { RejectedEntry } from '../upstream/errors.ts';
import { parseServerLines } from '../upstream/server-line.ts';
import { createServer, SERVER_DEFAULTS } from '../upstream/server.ts';
import { addressProblem, joinEntries, type ReadEntry } from './entry-address.ts';
import { isFields } from './reply-json.ts';
import { SourceError } from './source-error.ts';
import type { SourceList } from './source.ts';

/**
 * Reads the text of a list file: nginx `server` lines as nginx-upsync-module's dump has them, or a JSON array whose items are
 * addresses or objects with `address` and attributes (`[{"address":"10.0.0.1:80","weight":5}]`). What an entry does not
 * say has the registry's defaults (`max_fails` 2), not nginx's.
 * @throws {SourceError} SOURCE_BAD_REPLY when the file begins like JSON and is none.
 */
export function parseListFile(text: string, path: string): SourceList {
  if (!/^\s*[[{]/.test(text)) return parseServerLines(text, path, SERVER_DEFAULTS);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw notList(path, 'it begins like JSON and is not', error);
  }
  if (!Array.isArray(value)) throw notList(path, 'a JSON list must be an array');
  return joinEntries(
    (value as unknown[]).map((item, at) => {
      const where = `${path}[${at}]`;
      return { where, entry: readItem(item, where) };
    }),
  );
}

function readItem(item: unknown, where: string): ReadEntry {
  const address = isFields(item) ? item['address'] : item;
  if (typeof address !== 'string')
    return refused({ where, code: 'BAD_ENTRY', reason: 'an item must be an address or have one' });
  const problem = addressProblem(address, where);
  if (problem) return refused(problem);
  const { attributes, problems } = readAttributeFields(item, where);
  return { server: createServer(address, attributes), rejected: problems };
}

function refused(problem: RejectedEntry): ReadEntry {
  return { server: undefined, rejected: [problem] };
}

function notList(path: string, why: string, cause?: unknown): SourceError {
  return new SourceError('SOURCE_BAD_REPLY', `${path} holds no list: ${why}; the list before stays in use`, {
    cause,
  });
}
