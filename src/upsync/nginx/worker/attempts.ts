import type { Peer, PickRequest } from '../../../balancer/balancer.ts';
import type { Upstream } from './upstream.ts';

/**
 * One request's way through an upstream: the server it is at now and those it tried before. Kept by the address of
 * nginx's request and not in `ngx.ctx`: that one costs a table per request and is lost with each internal redirect.
 */
export interface Attempt {
  id: number;
  upstream: Upstream;
  peer: Peer | undefined;
  startedAt: number;
  readonly request: PickRequest;
  /** nginx's id of the client's request, when this is a subrequest or a redirected one; '' otherwise. */
  group: string;
  /** The next one to use again, while this one is closed. */
  spare: Attempt | undefined;
}

const open: Record<number, Attempt | undefined> = {};
/** Those of subrequests, which have no log phase of their own: they end with the client's request. */
const grouped: Record<string, Attempt[] | undefined> = {};
/** Closed ones; a chain costs less than an array, whose end LuaJIT has to search for. */
let firstSpare: Attempt | undefined;
/** How many are open, and how many of them are grouped. A request looks for its own only when there is one. */
export const count = { open: 0, grouped: 0 };

/** The open attempt of nginx's request `id`. */
export function attemptOf(id: number): Attempt | undefined {
  return count.open === 0 ? undefined : open[id];
}

/** Opens an attempt without allocating, as far as others ended before. */
export function openAttempt(id: number, upstream: Upstream, group: string): Attempt {
  const attempt = firstSpare ?? createAttempt(upstream);
  firstSpare = attempt.spare;
  attempt.id = id;
  attempt.upstream = upstream;
  open[id] = attempt;
  count.open += 1;
  if (group !== '') {
    attempt.group = group;
    count.grouped += 1;
    const members = grouped[group];
    if (members === undefined) grouped[group] = [attempt];
    else members.push(attempt);
  }
  return attempt;
}

/** Forgets an attempt whose server was given back. */
export function closeAttempt(attempt: Attempt): void {
  open[attempt.id] = undefined;
  count.open -= 1;
  attempt.peer = undefined;
  const tried = attempt.request.tried;
  while (tried.length > 0) tried.pop();
  if (attempt.group !== '') leaveGroup(attempt);
  attempt.spare = firstSpare;
  firstSpare = attempt;
}

/** Takes the open attempts that belong to the client's request with this id out of their group, to be closed. */
export function takeGroup(group: string): Attempt[] | undefined {
  const members = grouped[group];
  if (members === undefined) return undefined;
  grouped[group] = undefined;
  for (const member of members) {
    member.group = '';
    count.grouped -= 1;
  }
  return members;
}

function createAttempt(upstream: Upstream): Attempt {
  const request: PickRequest = { now: 0, key: '', tried: [] };
  return { id: 0, upstream, peer: undefined, startedAt: 0, request, group: '', spare: undefined };
}

function leaveGroup(attempt: Attempt): void {
  count.grouped -= 1;
  const left: Attempt[] = [];
  for (const member of grouped[attempt.group] ?? []) if (member !== attempt) left.push(member);
  grouped[attempt.group] = left.length > 0 ? left : undefined;
  attempt.group = '';
}
