import { addressOf, ffi } from './ffi.ts';
import { currentRequest, isAsKnown, type NginxParts, type Pointer, type Request } from './nginx-memory.ts';

/**
 * A request tells in nginx's log phase how it ended. Where nobody wants to know, entering Lua for it is a large part of what
 * balancing in Lua costs, and nginx has no way to do without it for one request. So such a request goes on with a copy of its
 * location's configuration in which the Lua module has nothing to run; everything else of it is the location's own. That
 * requests are kept as nginx-memory.ts knows them is checked in each worker and for each location.
 */

/** Whether a request may go without the log phase: what the boot file says (`BootConfig.sparesLog`), where nginx is as known. */
export const logPhase = { canBeLeftOut: false };

const castTo = ffi.cast;
let nginx: NginxParts;
/** The Lua module's part of a location without any of its directives. */
let withoutLog: unknown;
/** By the address of a location's configuration, what its requests go on with. */
const standIns: Record<number, Pointer | undefined> = {};
/** By the address of a stand-in, what it stands in for. */
const originals: Record<number, Pointer | undefined> = {};
/** The stand-ins' memory, which must live as long as the worker. */
const copies: Pointer[] = [];

/** Runs in each worker before its first request; where nginx's parts were not found every request has its log phase. */
export function prepareLogPhase(parts: NginxParts | string): void {
  if (!logPhase.canBeLeftOut) return;
  if (typeof parts === 'string') return keepLogPhase(parts);
  nginx = parts;
  withoutLog = parts.createLuaLocation();
}

/** How many locations have requests that go without the log phase, in this worker. */
export function locationsWithoutLog(): number {
  return copies.length;
}

/** The request at hand ends without the log phase from here on; false when it cannot. */
export function leaveOutLog(): boolean {
  if (!logPhase.canBeLeftOut) return false;
  const request = currentRequest();
  const at = addressOf(request.loc_conf);
  const standIn = standIns[at] ?? createStandIn(request, at);
  if (standIn === undefined) return false;
  request.loc_conf = standIn;
  return true;
}

/** True when the request at hand was told to end without the log phase. */
export function isLogLeftOut(): boolean {
  if (!logPhase.canBeLeftOut) return false;
  return originals[addressOf(currentRequest().loc_conf)] !== undefined;
}

/** Gives the request at hand its log phase back. */
export function bringBackLog(): void {
  const request = currentRequest();
  const original = originals[addressOf(request.loc_conf)];
  if (original !== undefined) request.loc_conf = original;
}

function createStandIn(request: Request, at: number): Pointer | undefined {
  if (!isAsKnown(request, nginx)) {
    keepLogPhase('this nginx keeps its requests differently');
    return undefined;
  }
  const copy = ffi.new<Pointer>('void *[?]', nginx.modules);
  ffi.copy(copy, request.loc_conf, nginx.modules * ffi.sizeof('void *'));
  copy[nginx.luaIndex] = withoutLog;
  copies.push(copy);
  const standIn = castTo<Pointer>('void **', copy);
  originals[addressOf(standIn)] = request.loc_conf;
  standIns[at] = standIn;
  return standIn;
}

function keepLogPhase(reason: string): void {
  logPhase.canBeLeftOut = false;
  ngx.log(ngx.NOTICE, `upsync: every request runs the log phase: ${reason}`);
}
