import type { Method, Peer, PickRequest } from '../../../balancer/balancer.ts';
import { dict, textAt, numberAt } from './dictionary.ts';
import type { Upstream } from './upstream.ts';
import { self } from './self.ts';

/**
 * How many requests the other workers have at a server. `max_conns` is checked against their exact counts with each pick
 * of such a server; the methods that compare loads work with counts of the last tick. A worker writes only its own
 * counts, absolute ones, so that those of a worker that died are gone as soon as the next one starts in its place.
 */

/** Older counts of other workers are read again before a pick. Milliseconds. */
const FRESH_MS = 10;
/** Far more than workers in lockstep ever need to get out of it. */
const MAX_ROUNDS = 8;
const BY_LOAD: Partial<Record<Method, boolean>> = {
  least_conn: true,
  random_two_least_conn: true,
  bounded_hash: true,
  ewma: true,
};

/** Per address: this worker's key, and those of the others. */
interface LimitKeys {
  own: string;
  others: string[];
}
const limitKeys: Record<number, Record<string, LimitKeys | undefined> | undefined> = {};

/** True when this upstream's picks depend on what other workers do. */
export function sharesLoads(upstream: Upstream): boolean {
  return self.workerCount > 1 && (upstream.limited || isByLoad(upstream));
}

/** `balancer.pick`, with the other workers' requests taken into account. */
export function pickShared(upstream: Upstream, request: PickRequest): Peer | undefined {
  const now = request.now;
  if (now - upstream.loadsReadAt >= FRESH_MS || now < upstream.loadsReadAt) readLoads(upstream, now);
  const balancer = upstream.balancer;
  let peer = balancer.pick(request);
  let reread = false;
  while (true) {
    if (peer === undefined) {
      // Some server may look full only because its count is a few milliseconds old.
      if (reread || !upstream.limited) return undefined;
      reread = true;
      readLoads(upstream, now);
    } else {
      if (peer.server.maxConns === 0 || admits(upstream, peer, now)) return peer;
      undoPick(upstream, peer, now);
    }
    peer = balancer.pick(request);
  }
}

/** This worker's count at a server changed; to be called after each pick and each end of a request. */
export function noteLoad(upstream: Upstream, peer: Peer): void {
  upstream.loadsChanged = true;
  if (peer.server.maxConns === 0) return;
  // A server that left the list has no key any more.
  const keys = limitKeys[upstream.number]?.[peer.server.address];
  if (keys !== undefined) dict.safe_set(keys.own, peer.conns);
}

/** True when the method compares loads, so that this worker's counts have to be told. */
export function isByLoad(upstream: Upstream): boolean {
  return BY_LOAD[upstream.options.method] === true;
}

/** Writes this worker's counts where the others read them. Runs with each tick, for upstreams that share loads. */
export function tellLoads(upstream: Upstream): void {
  if (!upstream.loadsChanged) return;
  upstream.loadsChanged = false;
  const counts: number[] = [];
  for (const peer of upstream.balancer.peers) counts.push(peer.conns);
  const text = `${string.format('%d', upstream.version)}:${table.concat(counts, ',')}`;
  dict.safe_set(loadsKey(upstream, self.workerId), text);
}

/** After a new list: exact counts exist for each server with a limit and for no other. */
export function resetLimits(upstream: Upstream): void {
  // Not in the nginx master, which is no worker.
  if (self.workerId < 0) return;
  const before = limitKeys[upstream.number];
  const keys: Record<string, LimitKeys | undefined> = {};
  limitKeys[upstream.number] = keys;
  for (const peer of upstream.balancer.peers) {
    if (peer.server.maxConns > 0) dict.safe_set(keysOf(upstream, peer).own, peer.conns);
  }
  if (before === undefined) return;
  for (const address in before) if (keys[address] === undefined) dict.delete(before[address]!.own);
}

function readLoads(upstream: Upstream, now: number): void {
  upstream.loadsReadAt = now;
  if (isByLoad(upstream)) readTold(upstream, now);
  if (!upstream.limited) return;
  for (const peer of upstream.balancer.peers)
    if (peer.server.maxConns > 0) upstream.balancer.setOtherConns(peer, exactOthers(upstream, peer), now);
}

function readTold(upstream: Upstream, now: number): void {
  const peers = upstream.balancer.peers;
  const sums: number[] = [];
  for (const _ of peers) sums.push(0);
  for (const worker of $range(0, self.workerCount - 1)) {
    const text = worker === self.workerId ? undefined : textAt(loadsKey(upstream, worker));
    if (text === undefined) continue;
    const [version, counts] = string.match(text, '^(%d+):(.*)$');
    // Counts of another list say nothing about the positions of this one.
    if (version === undefined || tonumber(version) !== upstream.version) continue;
    let index = 0;
    for (const [count] of string.gmatch(counts!, '%d+')) {
      sums[index] = (sums[index] ?? 0) + tonumber(count)!;
      index += 1;
    }
  }
  let index = 0;
  for (const peer of peers) {
    upstream.balancer.setOtherConns(peer, sums[index]!, now);
    index += 1;
  }
}

/**
 * Makes this worker's pick known first and then counts all, so that two workers never both go ahead. When they get in each
 * other's way all step back, and each looks again: the last one sees a place that is still free. Workers in lockstep would
 * go on like that, so each waits longer the higher its number is; one of them is then alone.
 */
function admits(upstream: Upstream, peer: Peer, now: number): boolean {
  const { own } = keysOf(upstream, peer);
  const free = peer.server.maxConns - peer.conns;
  for (const round of $range(1, MAX_ROUNDS)) {
    dict.safe_set(own, peer.conns);
    if (exactOthers(upstream, peer) <= free) return true;
    dict.safe_set(own, peer.conns - 1);
    for (const _ of $range(0, self.workerId * round)) {
      const left = exactOthers(upstream, peer);
      if (left <= free) continue;
      upstream.balancer.setOtherConns(peer, left, now);
      return false;
    }
  }
  upstream.balancer.setOtherConns(peer, peer.server.maxConns, now);
  return false;
}

/** Ends an attempt that never began, which says nothing about the server's health. */
function undoPick(upstream: Upstream, peer: Peer, now: number): void {
  const { fails, checked, accessed } = peer;
  upstream.balancer.done(peer, false, now, 0);
  upstream.balancer.observe(peer, fails, checked, accessed, now);
}

function exactOthers(upstream: Upstream, peer: Peer): number {
  let sum = 0;
  for (const key of keysOf(upstream, peer).others) sum += numberAt(key);
  return sum;
}

function keysOf(upstream: Upstream, peer: Peer): LimitKeys {
  const keys = limitKeys[upstream.number] ?? {};
  limitKeys[upstream.number] = keys;
  const address = peer.server.address;
  let found = keys[address];
  if (found === undefined) {
    found = { own: limitKey(self.workerId, upstream, address), others: [] };
    for (const worker of $range(0, self.workerCount - 1))
      if (worker !== self.workerId) found.others.push(limitKey(worker, upstream, address));
    keys[address] = found;
  }
  return found;
}

function limitKey(worker: number, upstream: Upstream, address: string): string {
  return `c/${self.cycle}/${worker}/${upstream.number}/${address}`;
}

function loadsKey(upstream: Upstream, worker: number): string {
  return `k/${self.cycle}/${worker}/${upstream.number}`;
}
