import { addressOf, load } from './ffi.ts';
import { getRequest } from './nginx-memory.ts';

/** What the worker uses of lua-resty-core, which nginx itself finds: without it nginx's Lua module does not start. */
interface BalancerModule {
  set_current_peer(this: void, host: string, port: number): LuaMultiReturn<[boolean | undefined, string]>;
  set_more_tries(this: void, count: number): LuaMultiReturn<[boolean | undefined, string]>;
  get_last_failure(this: void): LuaMultiReturn<['next' | 'failed' | undefined, number]>;
}

interface JitOptions {
  start(this: void, option: string): void;
}

const balancer = load('ngx.balancer') as BalancerModule;

/** Why nginx asks for another server: `failed`, or `next` after an answer of 403 or 404; undefined at the first one. */
export const lastFailure = balancer.get_last_failure as unknown as (
  this: void,
) => 'next' | 'failed' | undefined;
export const setMoreTries = balancer.set_more_tries;
/** True when nginx takes the address. */
export const setPeer = balancer.set_current_peer as unknown as (
  this: void,
  host: string,
  port: number,
) => boolean;

/**
 * The first Lua module that answers 500 when it was given no server at the first attempt, unless told that all are busy.
 * Source: lua-nginx-module, ngx_http_lua_balancer_get_peer(), since a balancer needs no `server` line.
 */
const TAKES_NOTHING_FOR_AN_ERROR = 10_024;
/** nginx's NGX_BUSY: no live upstreams. */
const BUSY = -3;

/**
 * Lets nginx answer 502, "no live upstreams". Older modules fall back to the placeholder server, which is down, and their
 * line in the error log names the upstream by itself.
 */
export function noLiveServer(upstream: string): void {
  if (ngx.config.ngx_lua_version < TAKES_NOTHING_FOR_AN_ERROR) return;
  ngx.log(ngx.ERR, `upsync: no live server in upstream "${upstream}"`);
  ngx.exit(BUSY);
}

// What a request needs is kept in locals: LuaJIT then reads no global, which it would have to guard.
const readClock = ngx.now;

/** nginx's request at hand, as a number: its address, which another request may have later. */
export function requestId(): number {
  // Not as a tail call, which LuaJIT does not compile.
  const id = addressOf(getRequest());
  return id;
}

/** With LuaJIT's default of 500 constants the way of a request is "too long" to be compiled as a whole. */
export function allowLongTraces(): void {
  (load('jit.opt') as JitOptions).start('maxirconst=2000');
}

let last = 0;
let offset = 0;

/** Milliseconds that never go back, from nginx's cached clock; all workers agree unless the system's clock was set. */
export function clock(): number {
  const now = readClock() * 1000 + offset;
  if (now >= last) {
    last = now;
    return now;
  }
  offset += last - now;
  return last;
}
