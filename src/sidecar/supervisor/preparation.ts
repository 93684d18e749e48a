import { rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LoadedConfig } from '../../upsync/nginx/config/load.ts';
import type { ShownUpstream } from '../../upsync/show.ts';
import type { RuntimeDirectory } from '../../upsync/nginx/runtime-directory.ts';
import { translate } from '../../upsync/nginx/translate.ts';
import type { TranslateOptions, Translation } from '../../upsync/nginx/translation.ts';
import { withLists } from '../../upsync/nginx/boot-lists.ts';
import type { UpstreamPlan } from '../../upsync/upstream-plan.ts';
import type { NginxBinary } from '../nginx-binary.ts';
import type { NginxArguments } from './arguments.ts';
import { updateBoot, writeBoot } from './boot-file.ts';
import { shownUpstreams, writeIncludes } from './include-lists.ts';
import type { MainPaths } from './main-paths.ts';
import { type Runtime, runtimeIn } from './runtime.ts';
import type { ListsFor } from './start-lists.ts';

/** The compiled worker code that the translated configuration loads. */
const LUA_FILE = fileURLToPath(new URL('../../lua/upsync.lua', import.meta.url));

/** A configuration that was read, translated and written down, ready to be tested and put to use. */
export interface Preparation extends MainPaths {
  readonly mode: 'workers' | 'reload';
  readonly plans: readonly UpstreamPlan[];
  /** Every upstream as `upstream_show` prints it at the start, where that is not the workers' own matter. */
  readonly shown: readonly ShownUpstream[];
  readonly warnings: readonly string[];
  /** The pid file that process managers look at. */
  readonly pidPath: string;
  /** For `nginx -t`, before `activate`. */
  readonly testPath: string;
  /** For nginx itself, after `activate`; the same over all preparations of one runtime. */
  readonly configPath: string;
  /** nginx's messages with the names of the user's own files. */
  toUserPaths(text: string): string;
  /** Puts other lists in place of those to start with, for an nginx program that will be started later. */
  startWith(lists: ListsFor): Promise<void>;
  /** Becomes what nginx reads. */
  activate(): void;
  /** Removes what was written. */
  discard(): void;
}

export interface PrepareOptions {
  readonly nginx: NginxBinary;
  readonly args: NginxArguments;
  readonly paths: MainPaths;
  readonly runtime: Runtime;
  readonly directory: RuntimeDirectory;
  /** The lists to start with, where there are better ones than the `server` lines. */
  readonly lists: ListsFor;
  /** The configuration, where it was read a moment ago. */
  readonly config?: LoadedConfig | undefined;
  readonly signal: AbortSignal;
}

/** Stands for a runtime where only the user's own side of a translation matters. */
const NOWHERE = runtimeIn('/runtime');

let generation = 0;

/**
 * Reads the user's configuration as it is now and writes its translation beside the one in force.
 * @throws {UpsyncError} what the translator finds wrong, with file and line; RUNTIME_DIRECTORY when nothing can be written.
 */
export async function prepare(options: PrepareOptions): Promise<Preparation> {
  const { nginx, args, paths, runtime, directory, signal } = options;
  // A name of its own: the boot file in force must outlive a configuration that is rejected.
  const bootFile = path.join(runtime.private, `boot.${process.pid}.${++generation}`);
  const { boot: configured, ...rest } = await translate(
    translateOptions(nginx, args, paths, runtime, bootFile),
    options.config,
  );
  const { mode, plans } = rest;
  const boot = withLists(configured, await options.lists(plans, signal));
  if (mode === 'workers') writeBoot(bootFile, boot);
  else await writeIncludes(runtime, boot);
  // What is kept as long as nginx runs has no lists in it: they are in the boot file, and the engine has newer ones soon.
  const translation: Translation = { ...rest, boot: { upstreams: [] } };
  let written = directory.write(translation);
  let active = false;
  return {
    ...paths,
    mode,
    plans,
    shown: mode === 'reload' ? shownUpstreams(boot) : [],
    warnings: translation.warnings,
    pidPath: translation.facts.pid,
    testPath: written.candidate,
    configPath: directory.mainFile(paths.main),
    toUserPaths: (text) => directory.mapBack(text),
    startWith: async (better) => {
      // Without Lua the include files are kept up to date anyway.
      if (mode === 'workers') updateBoot(bootFile, await better(plans, signal));
    },
    activate: () => {
      // Activated before, and others since: what was written then is gone.
      if (active) written = directory.write(translation);
      active = true;
      written.activate();
    },
    discard: () => {
      if (!active) written.discard();
      rmSync(bootFile, { force: true });
    },
  };
}

/** The translation as it would be for a runtime; nothing is written. */
export function translateOnly(
  nginx: NginxBinary,
  args: NginxArguments,
  paths: MainPaths,
  runtime: Runtime = NOWHERE,
): Promise<Translation> {
  return translate(translateOptions(nginx, args, paths, runtime));
}

/** What the translator is told. */
export function translateOptions(
  nginx: NginxBinary,
  args: NginxArguments,
  { main, prefix }: MainPaths,
  runtime: Runtime = NOWHERE,
  bootFile: string = path.join(runtime.private, 'boot'),
): TranslateOptions {
  const dictSize = process.env['UPSYNC_DICT_SIZE'];
  return {
    main,
    prefix,
    ...(args.globals !== undefined && { globalDirectives: args.globals }),
    defaultPid: nginx.pidPath,
    lua: nginx.lua,
    takeOut: ['daemon', 'pid'],
    mode:
      nginx.lua.kind === 'absent'
        ? { kind: 'reload', includeFolder: runtime.includes, showFolder: runtime.shows }
        : {
            kind: 'workers',
            luaFile: LUA_FILE,
            bootFile,
            controlSocket: runtime.controlSocket,
            ...(dictSize !== undefined && { dictSize }),
          },
  };
}
