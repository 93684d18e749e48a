import { UpsyncError } from '../../upstream/errors.ts';
import { isolation } from './control-isolation.ts';

/** Where the translated configuration finds what the workers need; all paths absolute. */
export interface WorkerPaths {
  /** The compiled worker, `dist/lua/upsync.lua`. */
  readonly luaFile: string;
  /** Written by `encodeBoot` (wire.ts); read in the nginx master at start and at each HUP. */
  readonly bootFile: string;
}

/** What {@link httpPreamble} needs. */
export interface PreambleOptions {
  /**
   * Unix socket of the control server, at most 107 bytes. nginx makes sockets 0666, so its directory must be 0700: that
   * is what keeps other users out. nginx does not remove the socket of a killed master: unlink it before a fresh start.
   */
  readonly controlSocket: string;
  /** Size of the shared dictionary in nginx's words. Memory is only taken when used. @default 64m */
  readonly dictSize?: string;
  /** Names of the directives that stand in the user's `http` block itself. @default none */
  readonly given?: ReadonlySet<string>;
}

/** Name under which the worker's code is kept in `package.loaded`; found without `lua_package_path`. */
export const LUA_MODULE = 'upsync.nginx.worker';
/** Cheaper for each request than `require`, which LuaJIT cannot compile. */
const WORKER = `package.loaded[${luaString(LUA_MODULE)}]`;
/** Name of the shared dictionary. */
export const DICTIONARY = 'upsync';
/** What a request through Lua gets, unless the user has chosen otherwise. */
const TUNING = [
  // The default of 4k makes a proxied request take three blocks, one of them for what the Lua module keeps of it: one block
  // of the same size costs 1,600 instructions less (callgrind, nginx 1.22.1).
  ['request_pool_size', '10k'],
  // The Lua module hands unused memory back each thousand requests, which then have to fault it in again; nginx never does.
  ['lua_malloc_trim', '0'],
] as const;
/** Largest body the control server takes: more than 50,000 servers need. */
export const MAX_LISTS_BODY_MB = 64;

/**
 * Directives for the start of the `http` block: the shared dictionary and the control server. One line, no newline.
 * Directives of the user's `http` block that would stand in the control server's way are undone for it. Two settings get
 * what balancing in Lua wants, unless the user has chosen otherwise.
 * @throws {UpsyncError} BAD_PATH when the socket's path is not usable in a configuration.
 */
export function httpPreamble(options: PreambleOptions): string {
  if (Buffer.byteLength(options.controlSocket) > 107)
    throw new UpsyncError(
      'BAD_PATH',
      `the control socket's path ${options.controlSocket} is longer than 107 bytes: choose a shorter runtime directory`,
    );
  const size = options.dictSize ?? '64m';
  if (!/^\d{1,7}[kKmM]?$/.test(size))
    throw new UpsyncError('BAD_SIZE', `"${size.slice(0, 40)}" is not an nginx size such as 64m`);
  const given = options.given ?? new Set();
  const tuning = TUNING.filter(([name]) => !given.has(name)).map(([name, value]) => `${name} ${value}; `);
  const clear = isolation(given);
  return (
    `${tuning.join('')}${clear.http}lua_shared_dict ${DICTIONARY} ${size}; ` +
    `server { listen ${nginxString(`unix:${options.controlSocket}`)}; server_name upsync.control; access_log off; ` +
    `keepalive_timeout 75s; keepalive_requests 1000000; allow all; auth_basic off; client_max_body_size ${MAX_LISTS_BODY_MB}m; ` +
    `client_body_buffer_size ${MAX_LISTS_BODY_MB}m; client_body_timeout 10s; client_body_in_file_only off; ` +
    `${clear.server}log_by_lua_block { return } ` +
    `location / { content_by_lua_block { ${call('control')} } } }`
  );
}

/**
 * Lua statements for `init_by_lua`: loads the worker's code by its absolute path, then the boot file. A file of code that
 * cannot be loaded stops nginx (so `nginx -t` sees it); nothing in the boot file does.
 */
export function initLua(paths: WorkerPaths): string {
  return (
    `do local chunk, reason = loadfile(${luaString(paths.luaFile)}); ` +
    `if not chunk then error("upsync: cannot load the worker code: " .. reason, 0) end; ` +
    `local worker = chunk(); package.loaded[${luaString(LUA_MODULE)}] = worker; ` +
    `worker.init(${luaString(paths.bootFile)}) end`
  );
}

/** Lua statements for `init_worker_by_lua`. */
export function initWorkerLua(): string {
  return `do ${call('initWorker')} end`;
}

/** Lua statements for `log_by_lua`: ends the request's last attempt. Must run for every request of the `http` block. */
export function logLua(): string {
  return `do ${call('log')} end`;
}

/**
 * Body of a translated `upstream`, in place of its `server` lines and of its balancing method. `keepalive` and the other
 * directives must follow it, since nginx wants the balancer first. When the balancer has no server to offer, nginx falls
 * back to the one that is down, and so answers 502 with its own "no live upstreams" line that names the upstream.
 */
export function balancerBlock(upstream: string): string {
  return `server 0.0.0.1 down; balancer_by_lua_block { ${WORKER}.balance(${luaString(upstream)}) }`;
}

/** What `upstream_show;` becomes. */
export function showBlock(): string {
  return `content_by_lua_block { ${call('show')} }`;
}

function call(name: string): string {
  return `${WORKER}.${name}()`;
}

/** A Lua string literal that neither Lua nor nginx's own reader of Lua blocks can take for anything else. */
export function luaString(text: string): string {
  let literal = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(byte);
    literal += /[A-Za-z0-9_./:@+-]/.test(char) ? char : `\\${String(byte).padStart(3, '0')}`;
  }
  return `"${literal}"`;
}

/**
 * One argument of an nginx directive, quoted when it must be.
 * @throws {UpsyncError} BAD_PATH when it holds a control character, which a one-line snippet cannot carry.
 */
export function nginxString(text: string): string {
  if (/^[A-Za-z0-9_./:@+-]+$/.test(text)) return text;
  if (/[\u0000-\u001f\u007f]/.test(text))
    throw new UpsyncError(
      'BAD_PATH',
      `${JSON.stringify(text)} holds a control character: choose another path`,
    );
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}
