import { addressOf, ffi, load } from './ffi.ts';

/**
 * What this worker knows of nginx's own memory. Only what has kept its place since 1.9.11 is named: the head of a request, of
 * the cycle, of a module and of what a module tells the core.
 * Source: nginx, ngx_http_request.h (ngx_http_request_s), ngx_http_config.h (ngx_http_conf_ctx_t, ngx_http_module_t),
 * ngx_cycle.h, ngx_module.h, ngx_conf_file.h (ngx_conf_s).
 */
export interface Pointer {
  [index: number]: unknown;
}
interface Configuration {
  readonly main_conf: Pointer;
}
export interface Request extends Configuration {
  readonly signature: number;
  loc_conf: Pointer;
}
interface Module {
  readonly ctx_index: number;
  readonly index: number;
  readonly version: number;
  readonly ctx: { readonly create_loc_conf: (this: void, reader: Reader) => unknown };
}
/** What nginx hands a module while it reads the configuration. */
interface Reader {
  pool: unknown;
}
interface Nginx {
  readonly upsync_cycle: { readonly conf_ctx: { [index: number]: Configuration }; readonly pool: unknown };
  readonly upsync_http: Module;
  readonly upsync_http_lua: Module;
  readonly upsync_http_modules: number;
}
/** The parts of the running nginx. */
export interface NginxParts {
  /** The address of the configuration that all requests have in common. */
  readonly mainConf: number;
  /** The Lua module's part of it. */
  readonly luaMainConf: unknown;
  /** The Lua module's place in every list of configurations, and how many modules have one. */
  readonly luaIndex: number;
  readonly modules: number;
  /** Makes what the Lua module has for a location without any of its directives; it lives as long as the worker. */
  readonly createLuaLocation: () => unknown;
}

const DECLARATIONS = `
typedef struct { void **main_conf; } upsync_configuration;
typedef struct { upsync_configuration **conf_ctx; void *pool; } upsync_cycle_head;
typedef struct { char *name; void *args, *cycle, *pool; void *rest[16]; } upsync_reader;
typedef struct { void *others[6]; void *(*create_loc_conf)(upsync_reader *); } upsync_http_part;
typedef struct {
  uintptr_t ctx_index, index; char *name; uintptr_t spare0, spare1, version; char *signature; upsync_http_part *ctx;
} upsync_module_head;
typedef struct {
  uint32_t signature; void *connection; void **ctx; void **main_conf, **srv_conf, **loc_conf;
} upsync_request_head;
extern upsync_cycle_head *upsync_cycle __asm__("ngx_cycle");
extern upsync_module_head upsync_http __asm__("ngx_http_module");
extern upsync_module_head upsync_http_lua __asm__("ngx_http_lua_module");
extern uintptr_t upsync_http_modules __asm__("ngx_http_max_module");
`;
/** "HTTP", what nginx marks a live request with. */
const SIGNATURE = 0x50_54_54_48;

/** nginx's request at hand. */
export const getRequest = (load('resty.core.base') as { get_request(this: void): unknown }).get_request;
const castTo = ffi.cast;
const toNumber = tonumber;
let requestType: unknown;

/** Finds the parts, or says why they cannot be found. */
export function findNginx(): NginxParts | string {
  const [found, parts] = pcall(readParts);
  return found ? parts : tostring(parts);
}

/** nginx's request at hand, as far as it is known. Needs {@link findNginx}. */
export function currentRequest(): Request {
  const request = castTo<Request>(requestType, getRequest());
  return request;
}

/** Whether requests are kept as is known here. */
export function isAsKnown(request: Request, parts: NginxParts): boolean {
  return request.signature === SIGNATURE && addressOf(request.main_conf) === parts.mainConf;
}

function readParts(): NginxParts {
  ffi.cdef(DECLARATIONS);
  requestType = ffi.typeof('upsync_request_head *');
  const {
    upsync_cycle: cycle,
    upsync_http: http,
    upsync_http_lua: lua,
    upsync_http_modules,
  } = ffi.C as Nginx;
  for (const { version } of [http, lua])
    if (toNumber(version) !== ngx.config.nginx_version) error('this nginx keeps its modules differently', 0);
  const mainConf = cycle.conf_ctx[toNumber(http.index)!]!.main_conf;
  const luaIndex = toNumber(lua.ctx_index)!;
  return {
    mainConf: addressOf(mainConf),
    luaMainConf: mainConf[luaIndex],
    luaIndex,
    modules: toNumber(upsync_http_modules)!,
    createLuaLocation: () => {
      const reader = ffi.new<Reader>('upsync_reader');
      reader.pool = cycle.pool;
      return lua.ctx.create_loc_conf(reader);
    },
  };
}
