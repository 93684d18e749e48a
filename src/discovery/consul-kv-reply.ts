import { type ReadEntry } from './entry-address.ts';
import { type RegistryReply } from './http.ts';
import { readKvEntry } from './kv-entry.ts';
import { isFields, parseReplyArray } from './reply-json.ts';
import { SourceError } from './source-error.ts';

/** One key of a KV reply. The same object comes again as long as neither key nor value change. */
export interface KvEntry {
  readonly key: string;
  /** As Consul sent it: base64, or null. */
  readonly raw: string | null;
  readonly entry: ReadEntry;
}

/**
 * Reads the replies of one KV poll loop. Entries that did not change since the reply before are not read again, so the
 * cost of a change in a list of ten thousand is that of one entry, beyond the JSON itself.
 */
export class KvReplyReader {
  #known = new Map<string, KvEntry>();

  /**
   * All entries of a reply, in Consul's order; a 404 has none.
   * @throws {SourceError} SOURCE_BAD_REPLY, or SOURCE_WRONG_TYPE when not one entry has a key.
   */
  read(reply: RegistryReply): readonly KvEntry[] {
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
    return entries;
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
