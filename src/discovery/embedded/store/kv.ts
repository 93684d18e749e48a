import { writeJson } from '../json.ts';
import type { Indexes } from './indexes.ts';
import { SortedKeys } from './sorted-keys.ts';

/** One key as stored. `flags` is an unsigned 64-bit number as decimal digits, since JavaScript's numbers end earlier. */
export interface KvEntry {
  readonly key: string;
  readonly flags: string;
  readonly value: Buffer;
  readonly createIndex: number;
  readonly modifyIndex: number;
}

/** Tombstones kept before the oldest are folded into the floor of all indexes. */
const MAX_TOMBSTONES = 65_536;
const TABLE = 'kv';

/** The topic that is told when this one key changes. */
export const keyTopic = (key: string): string => `kv=${key}`;
/** The topic that is told when a key that starts with `prefix` changes. */
export const prefixTopic = (prefix: string): string => `kv^${prefix}`;

/**
 * The key/value store, with Consul's rules for indexes: a prefix's index is the last change of any key under it, deletes
 * included (remembered as tombstones), or that of the whole store when nothing was ever there.
 */
export class KvStore {
  readonly #indexes: Indexes;
  readonly #entries = new Map<string, KvEntry>();
  readonly #keys = new SortedKeys();
  readonly #tombstones = new Map<string, number>();
  readonly #graves = new SortedKeys();
  readonly #json = new WeakMap<KvEntry, string>();
  readonly #lists = new Map<string, Buffer>();

  constructor(indexes: Indexes) {
    this.#indexes = indexes;
  }

  get(key: string): { index: number; entry: KvEntry | undefined } {
    const entry = this.#entries.get(key);
    const index = entry ? Math.max(entry.modifyIndex, this.#indexes.floor) : this.#indexes.of(TABLE);
    return { index, entry };
  }

  list(prefix: string): { index: number; entries: KvEntry[] } {
    const [from, to] = this.#keys.range(prefix);
    const entries: KvEntry[] = [];
    for (let at = from; at < to; at++) entries.push(this.#entries.get(this.#keys.at(at)!)!);
    return { index: this.prefixIndex(prefix), entries };
  }

  /** The index a query for that prefix answers with. */
  prefixIndex(prefix: string): number {
    if (prefix === '') return this.#indexes.of(TABLE);
    let index = 0;
    const [from, to] = this.#keys.range(prefix);
    for (let at = from; at < to; at++)
      index = Math.max(index, this.#entries.get(this.#keys.at(at)!)!.modifyIndex);
    const [firstGrave, endGrave] = this.#graves.range(prefix);
    for (let at = firstGrave; at < endGrave; at++)
      index = Math.max(index, this.#tombstones.get(this.#graves.at(at)!)!);
    return index === 0 ? this.#indexes.of(TABLE) : Math.max(index, this.#indexes.floor);
  }

  /** The reply to a recursive read, ready to send; kept until the next write, so that many watchers share it. */
  listJson(prefix: string): { index: number; body: Buffer | undefined } {
    const index = this.prefixIndex(prefix);
    const [from, to] = this.#keys.range(prefix);
    if (from === to) return { index, body: undefined };
    let body = this.#lists.get(prefix);
    if (body === undefined) {
      const parts: string[] = [];
      for (let at = from; at < to; at++) parts.push(this.#entryJson(this.#entries.get(this.#keys.at(at)!)!));
      body = Buffer.from(`[${parts.join(',')}]`);
      this.#lists.set(prefix, body);
    }
    return { index, body };
  }

  /** Keys under a prefix; with a separator each is cut after the first one beyond the prefix. */
  keys(prefix: string, separator: string): { index: number; keys: string[] } {
    const keys: string[] = [];
    const [from, to] = this.#keys.range(prefix);
    for (let at = from; at < to; at++) {
      const key = this.#keys.at(at)!;
      const cut = separator === '' ? -1 : key.indexOf(separator, prefix.length);
      const shown = cut === -1 ? key : key.slice(0, cut + separator.length);
      if (keys.at(-1) !== shown) keys.push(shown);
    }
    return { index: this.prefixIndex(prefix), keys };
  }

  put(key: string, value: Buffer, flags = '0'): void {
    this.#indexes.write((index) => {
      const old = this.#entries.get(key);
      // Consul leaves an equal entry alone, so that writing what is there wakes nobody.
      if (old && old.flags === flags && old.value.equals(value)) return;
      this.#set({ key, value, flags, createIndex: old?.createIndex ?? index, modifyIndex: index });
      this.#changed([key]);
    });
  }

  /** Writes only if the key was last changed at `expected` (0: if there is no such key). */
  putIf(key: string, value: Buffer, flags: string, expected: number): boolean {
    return this.#indexes.write(() => {
      const old = this.#entries.get(key);
      if ((old?.modifyIndex ?? 0) !== expected) return false;
      this.put(key, value, flags);
      return true;
    });
  }

  delete(key: string): void {
    this.#indexes.write((index) => {
      if (!this.#entries.delete(key)) return;
      this.#keys.delete(key);
      this.#bury(key, index);
      this.#changed([key]);
    });
  }

  /** Deletes only if the key was last changed at `expected`; a key that is not there counts as deleted. */
  deleteIf(key: string, expected: number): boolean {
    return this.#indexes.write(() => {
      const old = this.#entries.get(key);
      if (old === undefined) return true;
      if (old.modifyIndex !== expected) return false;
      this.delete(key);
      return true;
    });
  }

  deleteTree(prefix: string): void {
    this.#indexes.write((index) => {
      const removed = this.#keys.deletePrefix(prefix);
      if (removed.length === 0) return;
      for (const key of removed) this.#entries.delete(key);
      if (prefix !== '') this.#bury(prefix, index);
      this.#changed(removed);
    });
  }

  /** Everything, in key order, for the file. */
  dump(): KvEntry[] {
    return this.list('').entries;
  }

  /** Takes back what `dump` gave. Nobody is told: a store is filled before it serves. */
  restore(entries: readonly KvEntry[]): void {
    for (const entry of [...entries].sort((a, b) => (a.key < b.key ? -1 : 1))) this.#set(entry);
  }

  #set(entry: KvEntry): void {
    if (!this.#entries.has(entry.key)) this.#keys.add(entry.key);
    this.#entries.set(entry.key, entry);
    if (this.#tombstones.delete(entry.key)) this.#graves.delete(entry.key);
  }

  #bury(key: string, index: number): void {
    if (this.#tombstones.size >= MAX_TOMBSTONES) {
      this.#indexes.raiseFloor(Math.max(...[...this.#tombstones.values()].slice(0, 1000)));
      for (const old of [...this.#tombstones.keys()].slice(0, 1000)) {
        this.#tombstones.delete(old);
        this.#graves.delete(old);
      }
    }
    if (!this.#tombstones.has(key)) this.#graves.add(key);
    this.#tombstones.delete(key);
    this.#tombstones.set(key, index);
  }

  #changed(keys: readonly string[]): void {
    this.#lists.clear();
    this.#indexes.touch(TABLE);
    const prefixes = new Set<string>();
    for (const key of keys) {
      this.#indexes.wake(keyTopic(key));
      for (let length = 0; length <= key.length; length++) prefixes.add(key.slice(0, length));
    }
    for (const prefix of prefixes) this.#indexes.wake(prefixTopic(prefix));
  }

  #entryJson(entry: KvEntry): string {
    let text = this.#json.get(entry);
    if (text === undefined) {
      text = writeJson(toKvJson(entry), false);
      this.#json.set(entry, text);
    }
    return text;
  }
}

/** An entry as Consul's API shows it. */
export function toKvJson(entry: KvEntry): Record<string, unknown> {
  return {
    LockIndex: 0,
    Key: entry.key,
    Flags: BigInt(entry.flags),
    Value: entry.value.length === 0 ? null : entry.value.toString('base64'),
    CreateIndex: entry.createIndex,
    ModifyIndex: entry.modifyIndex,
  };
}
