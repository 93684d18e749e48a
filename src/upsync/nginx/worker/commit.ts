import { LISTS, RESERVE, dict, numberAt, textAt, hashAt, hashToFlags } from './dictionary.ts';
import type { ListUpdate } from './body.ts';
import { LIST, publish } from './events.ts';
import type { Upstream } from './upstream.ts';
import { listKey } from './upstreams.ts';

/** What became of one list. */
export interface Commit {
  readonly upstream: Upstream;
  readonly version: number;
  readonly changed: boolean;
  /** Bytes the dictionary lacked, 0 when there was no lack. Then the old list stays. */
  readonly needed: number;
}

/** Bytes a key takes beside its value, at most. */
const KEY_OVERHEAD = 512;
/** Beyond this many changed lists in one go, one event says "look at all of them". */
const SINGLE_EVENTS = 32;

/**
 * Makes one list the upstream's newest: its text is written under a key of its own, then the version moves, which is
 * the moment it is in force; the old text goes last. The same list again keeps its version. Only one process at a time
 * may do this (see lock.ts).
 */
export function commitList(upstream: Upstream, update: ListUpdate): Commit {
  const version = numberAt(upstream.versionKey);
  const hash = ngx.crc32_long(update.text);
  if (
    version > 0 &&
    hashAt(upstream.versionKey) === hash &&
    textAt(listKey(upstream.name, version)) === update.text
  )
    return { upstream, version, changed: false, needed: 0 };
  const next = version + 1;
  const key = listKey(upstream.name, next);
  const needed = update.text.length + KEY_OVERHEAD;
  const full: Commit = { upstream, version, changed: false, needed };
  if (dict.free_space() < needed + RESERVE) return full;
  const [written] = dict.safe_set(key, update.text);
  if (!written) return full;
  dict.safe_set(upstream.versionKey, next, 0, hashToFlags(hash));
  dict.delete(listKey(upstream.name, version));
  return { upstream, version: next, changed: true, needed: 0 };
}

/** Tells the workers which lists to look at; gives the generation with which all of them are in force. */
export function announce(commits: readonly Commit[]): number {
  let generation = 0;
  const accepted: Upstream[] = [];
  for (const commit of commits) if (commit.needed === 0) accepted.push(commit.upstream);
  if (accepted.length > SINGLE_EVENTS) generation = publish(LIST, 0, 0);
  else for (const upstream of accepted) generation = publish(LIST, upstream.number, 0);
  for (const upstream of accepted) dict.safe_set(upstream.generationKey, generation, 0, upstream.number);
  if (generation > 0) dict.safe_set(LISTS, generation);
  return generation;
}
