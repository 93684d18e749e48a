/** LuaJIT's FFI, which nginx's Lua module does not start without. Source: luajit.org, ext_ffi_api. */
interface Ffi {
  readonly C: unknown;
  cdef(this: void, declarations: string): void;
  cast<T>(this: void, type: unknown, value: unknown): T;
  copy(this: void, to: unknown, from: unknown, bytes: number): void;
  'new'<T>(this: void, type: unknown, length?: number): T;
  sizeof(this: void, type: string): number;
  string(this: void, from: unknown, bytes: number): string;
  typeof(this: void, name: string): unknown;
}

/** Not `require` itself, which the bundler would try to resolve. */
export const load = _G.require as (this: void, name: string) => unknown;

export const ffi = load('ffi') as Ffi;
const castTo = ffi.cast;
const toNumber = tonumber;
const addressType = ffi.typeof('uintptr_t');

/** A pointer as a number, which no pointer of a 64-bit system is too large for. */
export function addressOf(pointer: unknown): number {
  // Not as a tail call, which LuaJIT does not compile.
  const address = toNumber(castTo<number>(addressType, pointer))!;
  return address;
}
