import type { Peer } from '../../../balancer/balancer.ts';
import { type Attempt, attemptOf, closeAttempt, count, openAttempt, takeGroup } from './attempts.ts';
import { catchUpAt } from './events.ts';
import { keyValue } from './hash-key.ts';
import { endAttempt, endRefused, notePick, noteReset } from './health.ts';
import { sendTo } from './kept-peers.ts';
import type { WorkerServer } from './list.ts';
import { noteLoad, pickShared, sharesLoads } from './loads.ts';
import { clock, lastFailure, noLiveServer, requestId } from './nginx-balancer.ts';
import { hasFailed } from './outcome.ts';
import { allowTries, endsUnheard, finishPlain, isPlain, sendPlain, takePlain } from './plain.ts';
import type { Upstream } from './upstream.ts';
import { refresh, upstreamNamed, upstreamNumbered } from './upstreams.ts';

/** Chooses the server for one attempt of the request at hand. Without one nginx answers 502, "no live upstreams". */
export function balance(name: string): void {
  const now = clock();
  catchUpAt(now);
  const upstream = upstreamNamed(name);
  if (upstream === undefined) {
    ngx.log(ngx.ERR, `upsync: upstream "${name}" is not in the boot file: reload nginx through upsync`);
    return noLiveServer(name);
  }
  if (upstream.stale) refresh(upstream);
  const id = requestId();
  const isNew = !isPlain(id) && attemptOf(id) === undefined;
  if (isNew && !ngx.is_subrequest && sendPlain(id, upstream, now)) return;
  balanceAttempt(id, upstream, now);
}

/** Ends the request's last attempt. Runs for every request of the `http` block; most never touched an upsync upstream. */
export function log(): void {
  const id = requestId();
  const peer = finishPlain(id);
  if (peer !== undefined) return settlePlain(peer);
  const attempt = attemptOf(id);
  if (attempt !== undefined) finish(attempt, clock());
  if (count.grouped === 0) return;
  const members = takeGroup(ngx.var.request_id ?? '');
  if (members === undefined) return;
  const now = clock();
  for (const member of members) {
    settle(member, false, now);
    closeAttempt(member);
  }
}

function balanceAttempt(id: number, upstream: Upstream, now: number): void {
  let attempt = attemptOf(id) ?? openForPlain(id, now);
  if (attempt !== undefined && !isRetry(attempt, upstream)) {
    finish(attempt, now);
    attempt = undefined;
  }
  const isFirst = attempt === undefined;
  attempt = attempt === undefined ? begin(id, upstream) : giveUp(attempt, now);
  const request = attempt.request;
  request.now = now;
  // No loop on the usual way: LuaJIT compiles a function as a whole only when it meets none.
  const peer = pick(upstream, attempt, now);
  const server = peer?.server as WorkerServer | undefined;
  if (server === undefined) {
    closeAttempt(attempt);
    return noLiveServer(upstream.name);
  }
  if (!sendTo(server) && !skipRefused(upstream, attempt, now)) return noLiveServer(upstream.name);
  if (!isFirst) return;
  allowTries(upstream.balancer.tries);
  const first = attempt.request.tried.length === 0 ? attempt.peer : undefined;
  if (first !== undefined && !ngx.is_subrequest && endsUnheard(id, upstream, first)) closeAttempt(attempt);
}

/** What `sendPlain` began: its server failed, or the request was sent on to another upstream. */
function openForPlain(id: number, now: number): Attempt | undefined {
  const peer = takePlain(id);
  const upstream = peer && upstreamOf(peer);
  if (upstream === undefined) return undefined;
  const attempt = begin(id, upstream);
  attempt.peer = peer;
  attempt.startedAt = now;
  return attempt;
}

function settlePlain(peer: Peer): void {
  const upstream = upstreamOf(peer);
  if (upstream !== undefined) endAttempt(upstream, peer, hasFailed(peer.server.address), clock(), 0);
}

function upstreamOf(peer: Peer): Upstream | undefined {
  return upstreamNumbered((peer.server as WorkerServer).upstream);
}

/** Goes on to the next server that nginx takes; false when there is none. */
function skipRefused(upstream: Upstream, attempt: Attempt, now: number): boolean {
  let peer = attempt.peer;
  while (peer !== undefined) {
    endRefused(upstream, peer, now);
    attempt.peer = undefined;
    attempt.request.tried.push(peer);
    peer = pick(upstream, attempt, now);
    const server = peer?.server as WorkerServer | undefined;
    if (server !== undefined && sendTo(server)) return true;
  }
  closeAttempt(attempt);
  return false;
}

function begin(id: number, upstream: Upstream): Attempt {
  const attempt = openAttempt(id, upstream, ngx.is_subrequest ? (ngx.var.request_id ?? '') : '');
  const method = upstream.options.method;
  if (method === 'ip_hash') attempt.request.key = ngx.var.binary_remote_addr ?? '';
  else attempt.request.key = upstream.key.length === 0 ? '' : keyValue(upstream.key);
  return attempt;
}

/** True when nginx asks again for the same pass through the upstream, since the server before failed. */
function isRetry(attempt: Attempt, upstream: Upstream): boolean {
  return attempt.upstream === upstream && lastFailure() !== undefined;
}

/** The server the attempt was at is given back; `failed` or, for an answer of 403 or 404, just passed over. */
function giveUp(attempt: Attempt, now: number): Attempt {
  const peer = attempt.peer;
  if (peer === undefined) return attempt;
  settle(attempt, lastFailure() === 'failed', now);
  // The only server is asked again, as nginx does: what failed then was a connection kept open too long.
  if (attempt.upstream.balancer.peers.length > 1) attempt.request.tried.push(peer);
  return attempt;
}

function pick(upstream: Upstream, attempt: Attempt, now: number): Peer | undefined {
  const balancer = upstream.balancer;
  const resets = balancer.resets;
  const shares = sharesLoads(upstream);
  const peer = shares ? pickShared(upstream, attempt.request) : balancer.pick(attempt.request);
  if (balancer.resets !== resets) noteReset(upstream);
  if (peer === undefined) return undefined;
  if (peer.fails > 0) notePick(upstream, peer, now);
  if (shares) noteLoad(upstream, peer);
  attempt.peer = peer;
  attempt.startedAt = now;
  return peer;
}

function finish(attempt: Attempt, now: number): void {
  const peer = attempt.peer;
  if (peer !== undefined) settle(attempt, hasFailed(peer.server.address), now);
  closeAttempt(attempt);
}

function settle(attempt: Attempt, failed: boolean, now: number): void {
  const peer = attempt.peer;
  if (peer === undefined) return;
  attempt.peer = undefined;
  endAttempt(attempt.upstream, peer, failed, now, now - attempt.startedAt);
}
