import type { RejectedEntry } from '../upstream/errors.ts';
import type { Server } from '../upstream/server.ts';
import { joinEntries, safeText } from './entry-address.ts';
import type { RegistryReply } from './http.ts';
import { endOfItem, nextItem, OPEN_BRACKET, CLOSE_BRACKET, skipSpace } from './json-items.ts';
import { readKvEntry } from './kv-entry.ts';
import { badReply, isFields, parseReplyArray, strayItems } from './reply-json.ts';
import { SeenItems } from './seen-items.ts';
import { SourceError } from './source-error.ts';
import type { SourceList } from './source.ts';

/** One key of a KV reply, read. The same object comes again as long as neither key nor value change. */
export interface KvEntry<Tag = undefined> {
  readonly key: string;
  readonly server: Server | undefined;
  readonly rejected: readonly RejectedEntry[];
  /** What the reader's owner knows of the key. */
  readonly tag: Tag;
}

/** All entries of a reply, in Consul's order, and the report of what else was in it. */
export interface KvReply<Tag = undefined> {
  /** To be used before the next reply is read: the reader's own array, which it fills again. */
  readonly entries: readonly KvEntry<Tag>[];
  /** True when the entries are not those of the reply before. */
  readonly changed: boolean;
  readonly stray: readonly RejectedEntry[];
}

interface Item {
  readonly key: string;
  /** As Consul sent it: base64, or null. */
  readonly raw: string | null;
}

const NONE: readonly never[] = [];
const NOTHING = Buffer.alloc(0);

/**
 * Reads the replies of one KV poll loop. Consul sends everything under a prefix after each change, nearly all of it with the
 * same bytes as before: these are compared, not read. So a change among tens of thousands of entries costs the reading of
 * one, and what is kept of all others is one copy of the bytes and the servers.
 */
export class KvReplyReader<Tag = undefined> {
  readonly #tagOf: (key: string) => Tag;
  #seen = new SeenItems<KvEntry<Tag>>();
  /** Takes the next reply, so that a reply leaves nothing behind for the collector. */
  #next = new SeenItems<KvEntry<Tag>>();
  #isFirst = true;

  /** @param tagOf asked once for each key that is new or has another value. */
  constructor(tagOf: (key: string) => Tag) {
    this.#tagOf = tagOf;
  }

  /**
   * Gives away the memory of the reply before last, for the next one. Megabytes that come anew with each change would pile up
   * for as long as the collector does not care.
   */
  takeMemory(): Buffer | undefined {
    const memory = Buffer.from(this.#next.release().buffer);
    // Lists that became much shorter should not keep the memory of the long ones.
    return memory.length > 4 * this.#seen.bytes ? undefined : memory;
  }

  /**
   * Reads a whole reply; a 404 has no entries.
   * @throws {SourceError} SOURCE_BAD_REPLY, or SOURCE_WRONG_TYPE when not one entry has a key.
   */
  read(reply: RegistryReply): KvReply<Tag> {
    const [before, seen] = [this.#seen, this.#next];
    seen.begin(reply.status === 404 ? NOTHING : reply.body);
    if (reply.status !== 404) this.#walk(seen, reply);
    seen.finish();
    const { made } = seen;
    const entries = made.every(isEntry) ? made : made.filter(isEntry);
    if (entries.length === 0 && made.length > 0)
      throw new SourceError(
        'SOURCE_WRONG_TYPE',
        `${reply.url} sent entries without a key: is the path one of the KV store (/v1/kv/…), as upsync_type=consul needs?`,
      );
    const changed = this.#isFirst || !isSame(before.made, made);
    this.#isFirst = false;
    this.#seen = seen;
    this.#next = before;
    return { entries, changed, stray: strayItems(made.length - entries.length, reply) };
  }

  #walk(into: SeenItems<KvEntry<Tag>>, reply: RegistryReply): void {
    const { body } = reply;
    const open = skipSpace(body, 0);
    if (body[open] !== OPEN_BRACKET) {
      // Throws, unless it is `null`: no entries.
      parseReplyArray(reply);
      return;
    }
    const before = this.#seen;
    const cutOff = (cause?: unknown): SourceError =>
      badReply(reply, 'something that is not whole JSON', cause);
    let at: number | 'end' | undefined = skipSpace(body, open + 1);
    if (body[at] === CLOSE_BRACKET) return;
    for (let cursor = 0; at !== 'end';) {
      if (at === undefined) throw cutOff();
      const run = before.sameAt(cursor, body, at);
      if (run > 0) {
        at = nextItem(body, into.addRun(before, cursor, run, at));
        cursor += run;
        continue;
      }
      const end = endOfItem(body, at);
      if (end === undefined) throw cutOff();
      let item: Item | undefined;
      try {
        item = readItem(body.toString('utf8', at, end));
      } catch (error) {
        throw cutOff(error);
      }
      if (item) cursor = before.place(item.key, cursor);
      const known = item && this.#known(item, cursor);
      if (known) cursor++;
      into.add(item && (known?.entry ?? this.#make(item)), at, end);
      at = nextItem(body, end);
    }
  }

  /** The entry of the reply before with this key, when there is one; without it when its value is another. */
  #known({ key, raw }: Item, place: number): { readonly entry: KvEntry<Tag> | undefined } | undefined {
    const entry = this.#seen.made[place];
    if (entry?.key !== key) return undefined;
    return { entry: readItem(this.#seen.text(place))?.raw === raw ? entry : undefined };
  }

  #make({ key, raw }: Item): KvEntry<Tag> {
    const { server, rejected } = readKvEntry(key, () => decodeValue(raw));
    return { key, server, rejected: rejected.length === 0 ? NONE : rejected, tag: this.#tagOf(key) };
  }
}

function isEntry<T>(item: T | undefined): item is T {
  return item !== undefined;
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, at) => item === b[at]);
}

/** @throws {SyntaxError} when it is no JSON. */
function readItem(text: string): Item | undefined {
  const item = JSON.parse(text) as unknown;
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

/** What is not base64 means the same as no value, as in nginx-upsync-module: all defaults, and a report. */
function decodeValue(raw: string | null): string | undefined {
  if (raw === null) return '';
  const digits = raw.replace(/=.*$/s, '');
  if (/[^A-Za-z0-9+/]/.test(digits) || digits.length % 4 === 1) return undefined;
  return Buffer.from(digits, 'base64').toString('utf8');
}

/** The list that some entries of a reply make. */
export function joinKvEntries(
  entries: readonly KvEntry<unknown>[],
  stray: readonly RejectedEntry[],
): SourceList {
  const { servers, rejected } = joinEntries(entries.map((entry) => ({ where: safeText(entry.key), entry })));
  return { servers, rejected: stray.length === 0 ? rejected : [...stray, ...rejected] };
}
