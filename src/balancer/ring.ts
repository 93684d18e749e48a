import { CRC_START, crcEnd, crcNumber, crcText } from './crc32.ts';
import { type PoolPeer } from './peer.ts';
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
  private keys: number[] = [];
  /** The first peer of an address stands for its twins. */
  private owners: PoolPeer[] = [];

  /** Builds the ring of a list, which must not be empty; from `previous`, the ring of the list before, it takes the points that stay. */
  constructor(peers: readonly PoolPeer[], previous?: Ring) {
    const heads = linkTwins(peers);
    const share = Math.min(1, MAX_POINTS / (POINTS_PER_WEIGHT * totalWeight(heads)));
    const old = previous === undefined ? [] : previous.owners;
    if (previous === undefined) for (const head of heads) head.points = 0;
    const keys: number[] = [];
    const owners: PoolPeer[] = [];
    const home = peers[0]!.home;
    const size = old.length;
    for (let i = 0; i < size; i++) {
      const owner = old[i]!;
      if (owner.home !== home) owner.points = 0;
    }
    for (const head of heads) {
      const wanted = Math.max(1, Math.floor(POINTS_PER_WEIGHT * headWeight(head) * share));
      if (head.points === wanted) continue;
      head.points = 0;
      addPoints(keys, owners, head, wanted);
    }
    radixSort(keys, owners);
    this.merge(previous, keys, owners);
    const added = owners.length;
    for (let i = 0; i < added; i++) owners[i]!.points += 1;
  }

  /** How many points there are, equal ones included. */
  get size(): number {
    return this.keys.length;
  }

  /** The place of the first point at or after `hash`. */
  find(hash: number): number {
    const keys = this.keys;
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (keys[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    return low < keys.length ? low : 0;
  }

  /** The place of the next point; further points with the same key do not count. */
  after(place: number): number {
    const keys = this.keys;
    const size = keys.length;
    const key = keys[place];
    let next = place + 1;
    while (next < size && keys[next] === key) next += 1;
    return next < size ? next : 0;
  }

  ownerAt(place: number): PoolPeer {
    return this.owners[place]!;
  }

  private merge(previous: Ring | undefined, keys: readonly number[], owners: readonly PoolPeer[]): void {
    const oldKeys = previous === undefined ? [] : previous.keys;
    const oldOwners = previous === undefined ? [] : previous.owners;
    const oldSize = oldKeys.length;
    const size = keys.length;
    let old = 0;
    let added = 0;
    while (old < oldSize || added < size) {
      if (old < oldSize && oldOwners[old]!.points === 0) {
        old += 1;
      } else if (added >= size || (old < oldSize && oldKeys[old]! <= keys[added]!)) {
        this.append(oldKeys[old]!, oldOwners[old]!);
        old += 1;
      } else {
        this.append(keys[added]!, owners[added]!);
        added += 1;
      }
    }
  }

  /** Equal keys, which are rare, end up in list order. */
  private append(key: number, owner: PoolPeer): void {
    const keys = this.keys;
    const owners = this.owners;
    let place = keys.length;
    keys.push(key);
    owners.push(owner);
    while (place > 0 && keys[place - 1] === key && owners[place - 1]!.index > owner.index) {
      owners[place] = owners[place - 1]!;
      place -= 1;
    }
    owners[place] = owner;
  }
}

function addPoints(keys: number[], owners: PoolPeer[], head: PoolPeer, count: number): void {
  const base = crcAddress(head.server.address);
  let key = 0;
  for (let i = 0; i < count; i++) {
    key = crcEnd(crcNumber(base, key));
    keys.push(key);
    owners.push(head);
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
    if (last === undefined) heads.push(peer);
    else last.twin = peer;
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
