/**
 * The part of the nginx Lua API that the worker uses. Source: lua-nginx-module README, "Nginx API for Lua".
 * @noSelfInFile
 */
interface SharedDictionary {
  get(this: SharedDictionary, key: string): LuaMultiReturn<[unknown, number | undefined]>;
  /** Like `set`, but never evicts: fails with "no memory". Overwrites in place when the size stays. */
  safe_set(
    this: SharedDictionary,
    key: string,
    value: string | number,
    seconds?: number,
    flags?: number,
  ): LuaMultiReturn<[boolean | undefined, string | undefined]>;
  /** Fails with "exists" or "no memory". */
  safe_add(
    this: SharedDictionary,
    key: string,
    value: string | number,
    seconds?: number,
    flags?: number,
  ): LuaMultiReturn<[boolean | undefined, string | undefined]>;
  incr(
    this: SharedDictionary,
    key: string,
    by: number,
  ): LuaMultiReturn<[number | undefined, string | undefined]>;
  delete(this: SharedDictionary, key: string): void;
  get_keys(this: SharedDictionary, max: number): string[];
  capacity(this: SharedDictionary): number;
  free_space(this: SharedDictionary): number;
}

declare const ngx: {
  readonly shared: Record<string, SharedDictionary | undefined>;
  readonly var: Record<string, string | undefined>;
  readonly header: Record<string, string | number>;
  readonly config: {
    readonly nginx_version: number;
    /** 10023 is 0.10.23. */
    readonly ngx_lua_version: number;
  };
  status: number;
  readonly is_subrequest: boolean;
  readonly DEBUG: number;
  readonly NOTICE: number;
  readonly WARN: number;
  readonly ERR: number;
  readonly worker: {
    id(this: void): number | undefined;
    pid(this: void): number;
    count(this: void): number;
    exiting(this: void): boolean;
  };
  readonly timer: {
    every(
      this: void,
      seconds: number,
      callback: (this: void, premature: boolean) => void,
    ): LuaMultiReturn<[unknown, string | undefined]>;
  };
  readonly req: {
    read_body(this: void): void;
    discard_body(this: void): void;
    get_body_data(this: void): string | undefined;
    get_body_file(this: void): string | undefined;
    get_method(this: void): string;
    is_internal(this: void): boolean;
  };
  log(this: void, level: number, ...text: (string | number)[]): void;
  print(this: void, text: string): void;
  exit(this: void, status: number): void;
  sleep(this: void, seconds: number): void;
  /** Seconds, from nginx's cached clock. */
  now(this: void): number;
  update_time(this: void): void;
  crc32_long(this: void, text: string): number;
};
