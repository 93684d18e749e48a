import type { RejectedEntry } from '../upstream/errors.ts';
import { joinEntries, type ReadEntry, safeText } from './entry-address.ts';
import type { RegistryReply } from './http.ts';
import { readKvEntry } from './kv-entry.ts';
import { isFields, parseReplyArray, strayItems } from './reply-json.ts';
import { SourceError } from './source-error.ts';
import type { SourceList } from './source.ts';

/** One key of a KV reply. The same object comes again as long as neither key nor value change. */
export interface KvEntry {
  readonly key: string;
  /** As Consul sent it: base64, or null. */
  readonly raw: string | null;
  readonly entry: ReadEntry;
}

/** All entries of a reply, in Consul's order, and the report of what else was in it. */
export interface KvReply {
  readonly entries: readonly KvEntry[];
  readonly stray: readonly RejectedEntry[];
}

/**
 * Reads the replies of one KV poll loop. Entries that did not change since the reply before are not read again, so the
 * cost of a change in a list of ten thousand is that of one entry, beyond the JSON itself.
 */
export class KvReplyReader {
  #known = new Map<string, KvEntry>();

  /**
   * Reads a whole reply; a 404 has no entries.
   * @throws {SourceError} SOURCE_BAD_REPLY, or SOURCE_WRONG_TYPE when not one entry has a key.
   */
  read(reply: RegistryReply): KvReply {
    const items = reply.status === 404 ? [] : parseReplyArray(reply);
    const known = new Map<string, KvEntry>();
    const entries: KvEntry[] = [];
    for (const item of items) {
      const found = readItem(item);
      if (!found) continue;
      const { key, raw } = found;
      const before = this.#known.get(key);
      const entry =
        before?.raw === raw ? before : { key, raw, entry: readKvEntry(key, () => decodeValue(raw)) };
      known.set(key, entry);
      entries.push(entry);
    }
    if (entries.length === 0 && items.length > 0)
      throw new SourceError(
        'SOURCE_WRONG_TYPE',
        `${reply.url} sent entries without a key: is the path one of the KV store (/v1/kv/…), as upsync_type=consul needs?`,
      );
    this.#known = known;
    return { entries, stray: strayItems(items.length - entries.length, reply) };
  }
}

function readItem(item: unknown): { key: string; raw: string | null } | undefined {
  if (!isFields(item)) return undefined;
  const key = member(item, 'Key');
  const raw = member(item, 'Value');
  if (typeof key !== 'string') return undefined;
  return { key, raw: typeof raw === 'string' ? raw : null };
}

/** A member by its name in any case, as nginx-upsync-module's JSON parser finds it; Consul's own spelling costs nothing. */
function member(item: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(item, name)) return item[name];
  const lower = name.toLowerCase();
  return Object.entries(item).find(([other]) => other.toLowerCase() === lower)?.[1];
}

function decodeValue(raw: string | null): string {
  return raw === null ? '' : Buffer.from(raw, 'base64').toString('utf8');
}

/** The list that some entries of a reply make. */
export function joinKvEntries(entries: readonly KvEntry[], stray: readonly RejectedEntry[]): SourceList {
  const { servers, rejected } = joinEntries(
    entries.map(({ key, entry }) => ({ where: safeText(key), entry })),
  );
  return { servers, rejected: [...stray, ...rejected] };
}
