import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../upstream/logger.ts';
import type { BootConfig } from '../upsync/nginx/boot.ts';
import { withLists } from '../upsync/nginx/boot-lists.ts';
import { loadConfig } from '../upsync/nginx/config/load.ts';
import { RuntimeDirectory } from '../upsync/nginx/runtime-directory.ts';
import { translate } from '../upsync/nginx/translate.ts';
import { encodeBoot } from '../upsync/nginx/wire.ts';
import { testConfiguration } from '../upsync/targets/nginx-reload.ts';
import type { ShownUpstream } from '../upsync/show.ts';
import type { UpstreamPlan } from '../upsync/upstream-plan.ts';
import type { NginxBinary } from './nginx-binary.ts';
import { shownUpstreams, writeIncludes } from './supervisor/include-lists.ts';
import { makeBase, type Runtime, runtimeIn } from './supervisor/runtime.ts';
import type { YamlNginx } from './upsync-yaml-schema.ts';
import { lastLists, type ListsFor, startLists } from './supervisor/start-lists.ts';

/** The compiled worker code that the translated configuration loads. */
const LUA_FILE = fileURLToPath(new URL('../lua/upsync.lua', import.meta.url));

export interface RenderOptions {
  readonly nginx: NginxBinary;
  /** The user's nginx.conf; absolute, as is every path here. */
  readonly conf: string;
  readonly prefix: string;
  readonly globals?: string;
  /** Folder for the translated configuration. */
  readonly output: string;
  /** Size of the shared dictionary, as nginx writes it. @default '64m' */
  readonly dictSize?: string;
  /** The compiled worker code. @default the one that was built with this program */
  readonly luaFile?: string;
  readonly logger: Logger;
}

/** A translated configuration that nginx accepts. */
export interface Rendered {
  readonly mode: 'workers' | 'reload';
  readonly plans: readonly UpstreamPlan[];
  readonly shown: readonly ShownUpstream[];
  /** For nginx's `-c`; the same over all renderings. */
  readonly configPath: string;
  /** What it was made of; see `fingerprint`. */
  readonly fingerprint: string;
  /** Makes it what nginx reads at its next start or reload. */
  activate(): void;
  /** Takes the newest dumps as the lists nginx starts with. */
  refresh(): Promise<void>;
}

/** Translates an nginx.conf for an nginx that someone else starts with `-c configPath`. */
export class ConfRenderer {
  readonly runtime: Runtime;
  readonly #options: RenderOptions;
  readonly #directory: RuntimeDirectory;
  #dumps: ReadonlySet<string> = new Set();
  #generation = 0;
  #bootFile: string | undefined;

  /** @throws {UpsyncError} RUNTIME_DIRECTORY when the output folder cannot be used. */
  constructor(options: RenderOptions) {
    this.#options = options;
    makeBase(options.output);
    this.runtime = runtimeIn(options.output);
    this.#directory = new RuntimeDirectory(options.output);
  }

  /**
   * Reads the configuration as it is now, writes its translation beside the one in force, and lets nginx check it.
   * @throws {UpsyncError} what the translator or nginx finds wrong, or STRONG_DEPENDENCY at the first time; nothing is left
   *   behind.
   */
  async render(signal: AbortSignal): Promise<Rendered> {
    const { nginx, conf, prefix, globals, logger } = this.#options;
    const { runtime } = this;
    const fingerprint = this.fingerprint();
    const bootFile = path.join(runtime.private, `boot.${process.pid}.${++this.#generation}`);
    const dictSize = this.#options.dictSize;
    const translation = await translate({
      main: conf,
      prefix,
      ...(globals !== undefined && { globalDirectives: globals }),
      defaultPid: nginx.pidPath,
      lua: nginx.lua,
      mode:
        nginx.lua.kind === 'absent'
          ? { kind: 'reload', includeFolder: runtime.includes, showFolder: runtime.shows }
          : {
              kind: 'workers',
              luaFile: this.#options.luaFile ?? LUA_FILE,
              bootFile,
              controlSocket: runtime.controlSocket,
              ...(dictSize !== undefined && { dictSize }),
            },
    });
    for (const warning of translation.warnings) logger.warn({ warning }, 'configuration_warning');
    const bootWith = async (lists: ListsFor) =>
      withLists(translation.boot, await lists(translation.plans, signal));
    // Only the very first start waits for a registry on which it depends.
    const boot = await bootWith(this.#bootFile === undefined ? startLists(logger) : lastLists(logger));
    if (translation.mode === 'workers') writeBoot(bootFile, boot);
    else await writeIncludes(runtime, boot);
    const written = this.#directory.write(translation);
    try {
      await testConfiguration(
        {
          nginxBinary: nginx.path,
          configPath: written.candidate,
          prefix,
          ...(globals !== undefined && { globalDirectives: globals }),
        },
        signal,
      );
    } catch (error) {
      written.discard();
      rmSync(bootFile, { force: true });
      throw error;
    }
    return {
      mode: translation.mode,
      plans: translation.plans,
      shown: shownUpstreams(boot),
      configPath: this.#directory.mainFile(conf),
      fingerprint,
      activate: () => {
        written.activate();
        this.#dumps = new Set(translation.plans.map((plan) => plan.dumpPath));
        // nginx has read its own at its start; the one before is for nobody.
        if (this.#bootFile !== undefined) rmSync(this.#bootFile, { force: true });
        this.#bootFile = bootFile;
      },
      // Without Lua the include files are kept up to date anyway.
      refresh: async () => {
        if (translation.mode === 'workers') writeBoot(bootFile, await bootWith(lastLists(logger)));
      },
    };
  }

  /**
   * Differs when a file of the configuration differs. Dump files do not count: they change with each list, and are
   * included only for the start. `unreadable` when the configuration cannot be read now.
   */
  fingerprint(): string {
    const hash = createHash('sha256');
    try {
      for (const file of loadConfig(this.#options.conf).files.keys())
        if (!this.#dumps.has(file)) hash.update(`${file}\0`).update(readFileSync(file)).update('\0');
    } catch {
      return 'unreadable';
    }
    return hash.digest('hex');
  }

  /** The folders whose changes may change the configuration. */
  folders(): readonly string[] {
    try {
      const files = [...loadConfig(this.#options.conf).files.keys()].filter((file) => !this.#dumps.has(file));
      return [...new Set(files.map((file) => path.dirname(file)))];
    } catch {
      return [path.dirname(this.#options.conf)];
    }
  }
}

function writeBoot(file: string, boot: BootConfig): void {
  writeFileSync(`${file}.new`, encodeBoot(boot), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** How whoever starts nginx should do it. A relative prefix belongs to `folder`. */
export function startLine(
  configPath: string,
  { prefix, globals }: Pick<YamlNginx, 'prefix' | 'globals'>,
  folder: string,
): string {
  const words = ['nginx', '-c', configPath];
  if (prefix !== undefined) words.push('-p', path.resolve(folder, prefix));
  if (globals !== undefined) words.push('-g', `'${globals}'`);
  return words.join(' ');
}
