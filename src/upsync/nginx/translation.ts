import type { UpstreamPlan } from '../upstream-plan.ts';
import type { BootConfig } from './boot.ts';

/** How the nginx that will run can run Lua. `dynamic`: module files to load, in this order. */
export type LuaSupport =
  | { readonly kind: 'static' }
  | { readonly kind: 'dynamic'; readonly modules: readonly string[] }
  | { readonly kind: 'absent' };

/** Lists are pushed to the workers, which balance in Lua: no reload. */
export interface WorkersMode {
  readonly kind: 'workers';
  /** The compiled worker, `dist/lua/upsync.lua`; absolute. */
  readonly luaFile: string;
  /** Where the caller writes the boot configuration before nginx reads the translation; absolute. */
  readonly bootFile: string;
  /** Unix socket of the control server; absolute, at most 107 bytes, in a folder that only the owner may enter. */
  readonly controlSocket: string;
  /** Size of the shared dictionary in nginx's words. @default 64m */
  readonly dictSize?: string;
}

/** Lists are written as include files, followed by a reload: for an nginx without the Lua module. */
export interface ReloadMode {
  readonly kind: 'reload';
  /** Folder of the include files, `includeFileName(upstream)` each; absolute. They must exist before nginx reads them. */
  readonly includeFolder: string;
  /** Folder of the `upstream_show` texts, `showFileName(upstream)` each; absolute and readable by the workers. */
  readonly showFolder: string;
}

export interface TranslateOptions {
  /** Absolute path of the main configuration file, as the user names it. */
  readonly main: string;
  /** nginx's prefix (`-p`, or compiled in), absolute. */
  readonly prefix: string;
  /** nginx's `-g`. */
  readonly globalDirectives?: string;
  /** The pid file that was compiled in; relative to the prefix, or absolute. */
  readonly defaultPid: string;
  readonly lua: LuaSupport;
  readonly mode: WorkersMode | ReloadMode;
  /**
   * Directives of the main context to take out of the text, because the caller gives them with `-g` and nginx refuses
   * them twice: `['daemon', 'pid']`. Their values are in `facts`.
   */
  readonly takeOut?: readonly string[];
  /** All addresses of a host name in the system's order; rejects when there is none. @default the system's resolver */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
}

/** What the main context (and `-g`) says that whoever runs nginx must know. */
export interface NginxFacts {
  readonly prefix: string;
  /** Folder of the main file. */
  readonly confFolder: string;
  /** Absolute. */
  readonly pid: string;
  /** @default true */
  readonly daemon: boolean;
  /** @default true */
  readonly masterProcess: boolean;
  readonly user?: string;
  readonly group?: string;
  /** As written, `auto` included. @default '1' */
  readonly workerProcesses: string;
}

/** One file whose text differs from the user's. */
export interface TranslatedFile {
  /** Path by which nginx would have opened the user's file. */
  readonly original: string;
  /** One character per byte: write it as latin1. Has as many lines as the original. */
  readonly text: string;
}

/** A user's configuration, made to run on an unpatched nginx. */
export interface Translation {
  readonly main: string;
  readonly mode: 'workers' | 'reload';
  /** Only the files that changed. */
  readonly files: readonly TranslatedFile[];
  /** One for each `upstream` with an `upsync` directive, in the order of the configuration. */
  readonly plans: readonly UpstreamPlan[];
  /**
   * What the workers start with. Host names are resolved here, once, as nginx does at start; the lists are the `server`
   * lines of the configuration: see `withLists` for starting with the last good lists instead.
   */
  readonly boot: BootConfig;
  readonly facts: NginxFacts;
  /** Things the user should know, each with its place; none stops nginx. */
  readonly warnings: readonly string[];
}
