import type { Directive } from './config/parse.ts';

/** Lua of the user's in a phase of a request; `init_by_lua` and `init_worker_by_lua` run outside of any. */
const LUA_PHASE = /^(?!init_by|init_worker_by).*_by_lua(_block|_file)?$/;
const NEXT = /_next_upstream$/;
const NEXT_LIMIT = /_next_upstream_(tries|timeout)$/;
const UNBUFFERED = /_request_buffering$/;

/**
 * True when a directive of the `http` block, outside `upstream`, needs the log phase for every request: it lets a request
 * fail without another server being asked, so that only its end tells of the failure, or it brings Lua of the user's, whose
 * phases must not be taken away.
 * Source: nginx, ngx_http_upstream_next(); its default is `proxy_next_upstream error timeout` without limits.
 */
export function needsLog({ name, args }: Directive): boolean {
  const words = args.map(({ value }) => value.toLowerCase());
  if (NEXT.test(name)) return !words.includes('error') || !words.includes('timeout') || words.includes('off');
  if (UNBUFFERED.test(name)) return words[0] !== 'on';
  return NEXT_LIMIT.test(name) || LUA_PHASE.test(name);
}
