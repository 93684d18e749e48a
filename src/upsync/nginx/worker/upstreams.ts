import type { BalancerOptions } from '../../../balancer/balancer.ts';
import { createBalancer } from '../../../balancer/create.ts';
import { numberAt, textAt, upstreamNumber } from './dictionary.ts';
import type { KeyPart } from './hash-key.ts';
import { type KnownServers, type WorkerServer, readServers } from './list.ts';
import { resetLimits } from './loads.ts';
import { self } from './self.ts';
import type { Upstream } from './upstream.ts';

const byName: Record<string, Upstream | undefined> = {};
const byNumber: Record<number, Upstream | undefined> = {};
/** In configuration order. */
export const all: Upstream[] = [];
/** Those to look at, in no order; `stale` says which still need it. */
const pending: Upstream[] = [];
/** How many lists this worker could not use, ever. */
export const failures = { count: 0 };

/** The upstream of that name, as the configuration writes it. */
export function upstreamNamed(name: string): Upstream | undefined {
  return byName[name];
}

/** The upstream with that number. */
export function upstreamNumbered(number: number): Upstream | undefined {
  return byNumber[number];
}

/** The key of a list's text. */
export function listKey(name: string, version: number): string {
  return `l/${name}/${string.format('%d', version)}`;
}

/**
 * Creates an upstream with the list the dictionary has, which is newer than the boot file's; without one, with `servers`.
 */
export function addUpstream(
  name: string,
  options: BalancerOptions,
  key: readonly KeyPart[],
  servers: readonly WorkerServer[],
): Upstream {
  const upstream: Upstream = {
    name,
    number: upstreamNumber(name),
    options,
    key,
    versionKey: `v/${name}`,
    generationKey: `g/${name}`,
    version: 0,
    badVersion: 0,
    balancer: createBalancer(options, servers),
    limited: hasLimit(servers),
    stale: false,
    known: {},
    loadsReadAt: 0,
    loadsChanged: false,
  };
  for (const server of servers) server.upstream = upstream.number;
  byName[name] = upstream;
  byNumber[upstream.number] = upstream;
  all.push(upstream);
  refresh(upstream);
  return upstream;
}

/** Largest seed of the balancers' random numbers, plus one. */
const SEEDS = 2_147_483_646;

/**
 * Gives an upstream without a seed one of this worker's own, so that fifty proxies that start together do not all begin with
 * the first server.
 */
export function startElsewhere(upstream: Upstream): void {
  const { method, seed, loadFactor } = upstream.options;
  if (seed >= 0) return;
  const own = ngx.worker.pid() * 7919 + upstream.number * 31 + Math.floor(ngx.now() * 1000);
  upstream.options = { method, seed: 1 + (own % SEEDS), loadFactor };
  rebuildAfresh(upstream);
}

/** A newer list of this upstream may be there. */
export function markStale(upstream: Upstream): void {
  if (upstream.stale) return;
  upstream.stale = true;
  pending.push(upstream);
}

/** Newer lists of any upstream may be there. */
export function markAllStale(): void {
  for (const upstream of all) markStale(upstream);
}

/** Looks at upstreams that need it until `deadline` (seconds of `ngx.now`); true when none is left. */
export function refreshPending(deadline: number): boolean {
  let looked = 0;
  while (pending.length > 0) {
    const upstream = pending.pop()!;
    if (!upstream.stale) continue;
    refresh(upstream);
    looked += 1;
    if (looked % 16 === 0) {
      ngx.update_time();
      if (ngx.now() > deadline) return pending.length === 0;
    }
  }
  return true;
}

/** Puts the newest list to work, if it is not yet. A list that cannot be used leaves the old one in place. */
export function refresh(upstream: Upstream): void {
  upstream.stale = false;
  // The old text goes right after the version moved on; whoever looks in between looks again.
  for (const _ of $range(1, 3)) {
    const version = numberAt(upstream.versionKey);
    if (version === upstream.version) return;
    const text = textAt(listKey(upstream.name, version));
    if (text !== undefined) return use(upstream, version, text);
  }
  fail(upstream, numberAt(upstream.versionKey), 'its text is missing');
}

function use(upstream: Upstream, version: number, text: string): void {
  const known: KnownServers = {};
  const servers = readServers(text, upstream.known, known);
  for (const server of servers) server.upstream = upstream.number;
  const [built, reason] = pcall(rebuild, upstream, servers);
  if (!built) {
    // The failed attempt may have taken the old balancer's state apart; what its servers were is still known.
    pcall(rebuildAfresh, upstream);
    return fail(upstream, version, tostring(reason));
  }
  upstream.known = known;
  upstream.version = version;
  upstream.badVersion = 0;
  upstream.limited = hasLimit(servers);
  upstream.loadsChanged = true;
  resetLimits(upstream);
}

/** Before the first request there is no state to carry over, and nobody is a newcomer who starts slowly. */
function rebuild(upstream: Upstream, servers: readonly WorkerServer[]): void {
  const previous = self.isServing ? upstream.balancer : undefined;
  upstream.balancer = createBalancer(upstream.options, servers, previous);
}

function rebuildAfresh(upstream: Upstream): void {
  const servers: WorkerServer[] = [];
  for (const peer of upstream.balancer.peers) servers.push(peer.server as WorkerServer);
  upstream.balancer = createBalancer(upstream.options, servers);
}

function fail(upstream: Upstream, version: number, reason: string): void {
  upstream.badVersion = version;
  failures.count += 1;
  ngx.log(
    ngx.ERR,
    `upsync: upstream "${upstream.name}": version ${version} cannot be used, the old list stays: ${reason}`,
  );
}

function hasLimit(servers: readonly WorkerServer[]): boolean {
  for (const server of servers) if (server.maxConns > 0) return true;
  return false;
}
