/**
 * A request tells in nginx's log phase how it ended. Where nobody wants to know, entering Lua for it is a large part of what
 * balancing in Lua costs, and nginx has no way to do without it for one request. So such a request goes on with a copy of its
 * location's configuration in which the Lua module has nothing to run; everything else of it is the location's own.
 *
 * Of nginx's memory only what has kept its place since 1.9.11 is touched: the head of a request, of the cycle, of a module
 * and of what it tells the core. That it has is checked, in each worker and for each location.
 * Source: nginx, ngx_http_request.h (ngx_http_request_s), ngx_http_config.h (ngx_http_conf_ctx_t, ngx_http_module_t),
 * ngx_cycle.h, ngx_module.h, ngx_conf_file.h (ngx_conf_s).
 */

interface Pointer {
  [index: number]: unknown;
}
interface Configuration {
  readonly main_conf: Pointer;
}
interface Request extends Configuration {
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
interface Ffi {
  readonly C: Nginx;
  cdef(this: void, declarations: string): void;
  cast<T>(this: void, type: unknown, value: unknown): T;
  copy(this: void, to: unknown, from: unknown, bytes: number): void;
  'new'<T>(this: void, type: string, length?: number): T;
  sizeof(this: void, type: string): number;
  typeof(this: void, name: string): unknown;
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

const load = _G.require as (this: void, name: string) => unknown;
const ffi = load('ffi') as Ffi;
const getRequest = (load('resty.core.base') as { get_request(this: void): unknown }).get_request;
const castTo = ffi.cast;
const toNumber = tonumber;
const addressType = ffi.typeof('uintptr_t');

/** Whether a request may go without the log phase: what the boot file says (`BootConfig.sparesLog`), where nginx is as known. */
export const logPhase = { canBeLeftOut: false };

let requestType: unknown;
let mainConf = 0;
let luaIndex = 0;
let modules = 0;
let withoutLog: unknown;
/** By the address of a location's configuration, what its requests go on with. */
const standIns: Record<number, Pointer | undefined> = {};
/** By the address of a stand-in, what it stands in for. */
const originals: Record<number, Pointer | undefined> = {};
/** The stand-ins' memory, which must live as long as the worker. */
const copies: Pointer[] = [];

/** Finds nginx's own parts. Runs in each worker before its first request; without them every request has its log phase. */
export function prepareLogPhase(): void {
  if (!logPhase.canBeLeftOut) return;
  const [found, reason] = pcall(findParts);
  if (found) return;
  logPhase.canBeLeftOut = false;
  ngx.log(ngx.NOTICE, `upsync: every request runs the log phase: ${tostring(reason)}`);
}

/** How many locations have requests that go without the log phase, in this worker. */
export function locationsWithoutLog(): number {
  return copies.length;
}

/** The request at hand ends without the log phase from here on; false when it cannot. */
export function leaveOutLog(): boolean {
  if (!logPhase.canBeLeftOut) return false;
  const request = castTo<Request>(requestType, getRequest());
  const at = addressOf(request.loc_conf);
  const standIn = standIns[at] ?? createStandIn(request, at);
  if (standIn === undefined) return false;
  request.loc_conf = standIn;
  return true;
}

/** True when the request at hand was told to end without the log phase. */
export function isLogLeftOut(): boolean {
  if (!logPhase.canBeLeftOut) return false;
  const request = castTo<Request>(requestType, getRequest());
  return originals[addressOf(request.loc_conf)] !== undefined;
}

/** Gives the request at hand its log phase back. */
export function bringBackLog(): void {
  const request = castTo<Request>(requestType, getRequest());
  const original = originals[addressOf(request.loc_conf)];
  if (original !== undefined) request.loc_conf = original;
}

function findParts(): void {
  ffi.cdef(DECLARATIONS);
  requestType = ffi.typeof('upsync_request_head *');
  const { upsync_cycle: cycle, upsync_http: http, upsync_http_lua: lua, upsync_http_modules } = ffi.C;
  for (const { version } of [http, lua])
    if (toNumber(version) !== ngx.config.nginx_version) error('this nginx keeps its modules differently', 0);
  mainConf = addressOf(cycle.conf_ctx[toNumber(http.index)!]!.main_conf);
  luaIndex = toNumber(lua.ctx_index)!;
  modules = toNumber(upsync_http_modules)!;
  // As nginx itself does for a location without any directive of the module.
  const reader = ffi.new<Reader>('upsync_reader');
  reader.pool = cycle.pool;
  withoutLog = lua.ctx.create_loc_conf(reader);
}

function createStandIn(request: Request, at: number): Pointer | undefined {
  if (request.signature !== SIGNATURE || addressOf(request.main_conf) !== mainConf) {
    logPhase.canBeLeftOut = false;
    ngx.log(
      ngx.NOTICE,
      'upsync: every request runs the log phase: this nginx keeps its requests differently',
    );
    return undefined;
  }
  const copy = ffi.new<Pointer>('void *[?]', modules);
  ffi.copy(copy, request.loc_conf, modules * ffi.sizeof('void *'));
  copy[luaIndex] = withoutLog;
  copies.push(copy);
  const standIn = castTo<Pointer>('void **', copy);
  originals[addressOf(standIn)] = request.loc_conf;
  standIns[at] = standIn;
  return standIn;
}

function addressOf(pointer: unknown): number {
  // Not as a tail call, which LuaJIT does not compile.
  const address = toNumber(castTo<number>(addressType, pointer))!;
  return address;
}
