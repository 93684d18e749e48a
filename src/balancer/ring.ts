import { CRC_START, crcEnd, crcNumber, crcText } from './crc32.ts';
import type { PoolPeer } from './peer.ts';
import { radixSort } from './radix-sort.ts';

const POINTS_PER_WEIGHT = 160;
/**
 * Most points of a ring, some 32 MB; nginx has no limit and would take gigabytes for large weights. Beyond 13,107 units of
 * weight all servers get proportionally fewer points.
 */
const MAX_POINTS = 2_097_152;

/**
 * The ketama ring: 160 points per weight for each server, each the CRC of the host, a zero byte, the port and the point
 * before. Equal points belong to the server that stands first in the list.
 * Source: nginx 1.22, behaviour of ngx_http_upstream_init_chash (compatible with Cache::Memcached::Fast).
 */
export class Ring {
  /** How many points there are, equal ones included. */
  readonly size: number;
  private readonly heads: readonly PoolPeer[];
  private readonly keys: number[];
  /** The first peer of an address stands for its twins. */
  private readonly owners: PoolPeer[];

  /** Builds the ring of a list, which must not be empty; from `previous`, the ring of the list before, it takes the points that stay. */
  constructor(peers: readonly PoolPeer[], previous?: Ring) {
    const heads = linkTwins(peers);
    this.heads = heads;
    const added = new Points();
    const changed = addChanged(heads, added, previous);
    if (previous !== undefined && !changed) {
      this.keys = previous.keys;
      this.owners = previous.owners;
    } else {
      radixSort(added.keys, added.owners);
      const merged = new Points();
      merge(
        merged,
        previous === undefined ? [] : previous.keys,
        previous === undefined ? [] : previous.owners,
        added,
      );
      countPoints(added.owners);
      this.keys = merged.keys;
      this.owners = merged.owners;
    }
    this.size = this.keys.length;
  }

  /** The place of the first point at or after `hash`. */
  find(hash: number): number {
    const keys = this.keys;
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (keys[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    return low < this.size ? low : 0;
  }

  /** The place of the next point; further points with the same key do not count. */
  after(place: number): number {
    const keys = this.keys;
    const size = this.size;
    const key = keys[place];
    let next = place + 1;
    while (next < size && keys[next] === key) next += 1;
    return next < size ? next : 0;
  }

  ownerAt(place: number): PoolPeer {
    return this.owners[place]!;
  }

  /** The servers, each once, in list order. */
  isOf(heads: readonly PoolPeer[]): boolean {
    if (heads.length !== this.heads.length) return false;
    for (let i = 0; i < heads.length; i++) if (heads[i] !== this.heads[i]) return false;
    return true;
  }

  /**
   * Leaves `points` with the servers that this ring and the next one share, and with no other: one that was away in between
   * may still have those of an older ring.
   */
  hand(next: readonly PoolPeer[]): void {
    const home = next[0]!.home;
    const points: number[] = [];
    for (const head of this.heads) points.push(head.home === home ? head.points : 0);
    for (const head of next) head.points = 0;
    for (let i = 0; i < points.length; i++) this.heads[i]!.points = points[i]!;
  }
}

/** Points by key. Counts for itself: asking a Lua table for its length is slow. */
class Points {
  readonly keys: number[] = [];
  readonly owners: PoolPeer[] = [];
  private size = 0;

  add(key: number, owner: PoolPeer): void {
    this.keys[this.size] = key;
    this.owners[this.size] = owner;
    this.size += 1;
  }

  /** Adds the next point of a sorted list; equal keys, which are rare, end up in list order. */
  append(key: number, owner: PoolPeer): void {
    const { keys, owners } = this;
    let place = this.size;
    while (place > 0 && keys[place - 1] === key && owners[place - 1]!.index > owner.index) {
      keys[place] = key;
      owners[place] = owners[place - 1]!;
      place -= 1;
    }
    keys[place] = key;
    owners[place] = owner;
    this.size += 1;
  }
}

/** Adds the points of servers that are new or weigh otherwise than before. False when the old ring is right as it is. */
function addChanged(heads: readonly PoolPeer[], added: Points, previous: Ring | undefined): boolean {
  if (previous === undefined) for (const head of heads) head.points = 0;
  else previous.hand(heads);
  const share = Math.min(1, MAX_POINTS / (POINTS_PER_WEIGHT * totalWeight(heads)));
  let changed = previous === undefined || !previous.isOf(heads);
  for (const head of heads) {
    const wanted = Math.max(1, Math.floor(POINTS_PER_WEIGHT * headWeight(head) * share));
    if (head.points === wanted) continue;
    changed = true;
    head.points = 0;
    addPoints(added, head, wanted);
  }
  return changed;
}

function merge(
  into: Points,
  oldKeys: readonly number[],
  oldOwners: readonly PoolPeer[],
  added: Points,
): void {
  const { keys, owners } = added;
  const oldSize = oldKeys.length;
  const size = keys.length;
  let next = 0;
  for (let old = 0; old < oldSize; old++) {
    const owner = oldOwners[old]!;
    if (owner.points === 0) continue;
    const key = oldKeys[old]!;
    while (next < size && keys[next]! < key) {
      into.append(keys[next]!, owners[next]!);
      next += 1;
    }
    into.append(key, owner);
  }
  for (; next < size; next++) into.append(keys[next]!, owners[next]!);
}

function countPoints(owners: readonly PoolPeer[]): void {
  const size = owners.length;
  for (let i = 0; i < size; i++) owners[i]!.points += 1;
}

function addPoints(points: Points, head: PoolPeer, count: number): void {
  const base = crcAddress(head.server.address);
  let key = 0;
  for (let i = 0; i < count; i++) {
    key = crcEnd(crcNumber(base, key));
    points.add(key, head);
  }
}

/** The checksum of the host, a zero byte and the port; a unix socket's path has no port. */
function crcAddress(address: string): number {
  if (address.startsWith('unix:')) return crcText(CRC_START, `${address.substring(5)}\0`);
  let colon = address.length - 1;
  while (colon >= 0 && address.charAt(colon) !== ':') colon -= 1;
  return crcText(CRC_START, `${address.substring(0, colon)}\0${address.substring(colon + 1)}`);
}

function linkTwins(peers: readonly PoolPeer[]): PoolPeer[] {
  const heads: PoolPeer[] = [];
  const lasts = new Map<string, PoolPeer>();
  for (const peer of peers) {
    const last = lasts.get(peer.server.address);
    if (last === undefined) {
      heads.push(peer);
    } else {
      last.twin = peer;
      peer.points = 0;
    }
    lasts.set(peer.server.address, peer);
  }
  return heads;
}

function headWeight(head: PoolPeer): number {
  let weight = 0;
  let peer: PoolPeer | undefined = head;
  while (peer !== undefined) {
    weight = Math.max(weight, peer.server.weight);
    peer = peer.twin;
  }
  return weight;
}

function totalWeight(heads: readonly PoolPeer[]): number {
  let total = 0;
  for (const head of heads) total += headWeight(head);
  return Math.max(1, total);
}
