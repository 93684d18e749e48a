import path from 'node:path';
import { errorText, UpsyncError } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';
import { Engine, type EngineOptions } from './engine.ts';
import type { EngineConfig, NginxWiring } from './engine-config.ts';
import { filePrint } from './follow-yaml.ts';
import type { NamesStatus } from './names/names-status.ts';
import type { ServedNames } from './names/served-names.ts';
import { requireNginx, type NginxBinary } from './nginx-binary.ts';
import { reloadNginx } from './reload-nginx.ts';
import { ConfRenderer, type Rendered, startLine } from './run-render.ts';
import { removeStaleSocket } from './stale-socket.ts';
import { tellRefused } from './tell-refused.ts';
import { durationAt, engineSettings, plansOf } from './upsync-yaml-plans.ts';
import { readYaml, speaksOfNames, type YamlFile } from './upsync-yaml.ts';
import { type FolderWatch, watchFolders } from './watch-folders.ts';

export interface RunOptions {
  /** The configuration, `upsync.yaml`; absolute. */
  readonly configFile: string;
  readonly env: NodeJS.ProcessEnv;
  /** Makes the logger once the level is known. */
  readonly createLogger: (level: EngineConfig['logLevel']) => Logger;
  /** Ends the sidecar. */
  readonly signal: AbortSignal;
  /** Told once everything runs. */
  readonly onReady?: (sidecar: {
    readonly configPath?: string;
    readonly adminUrl?: string;
    readonly names?: NamesStatus;
  }) => void;
  /** For tests. */
  readonly engine?: Omit<EngineOptions, 'logger'>;
  /** For tests. @default the worker code that was built with this program */
  readonly luaFile?: string;
  /** For tests. */
  readonly watch?: { readonly quietMs: number; readonly netMs: number };
}

/** How often a socket that nobody listens on is looked for, and how old it must be. Milliseconds. */
const SWEEP_MS = 1000;

/**
 * Runs the sidecar beside an nginx that someone else starts (or for dump files or names alone) until the signal aborts. Its own
 * configuration and the nginx.conf are followed: what is valid is applied, what is not is logged and the old goes on.
 * @throws {UpsyncError} when the configuration is wrong at the start; EADDRINUSE and the like from the admin address.
 */
export async function runSidecar(options: RunOptions): Promise<void> {
  const yaml = readYaml(options.configFile);
  const sidecar = new Sidecar(options, options.createLogger(yaml.data.log_level ?? 'info'));
  try {
    await sidecar.start(yaml);
    await aborted(options.signal);
  } finally {
    await sidecar.close();
  }
}

class Sidecar {
  readonly #options: RunOptions;
  readonly #logger: Logger;
  #names: ServedNames | undefined;
  #yaml: YamlFile | undefined;
  #yamlPrint = '';
  #renderer: ConfRenderer | undefined;
  #nginx: NginxBinary | undefined;
  #rendered: Rendered | undefined;
  /** What was last found wrong, so that it is told once. */
  #refused = '';
  #engine: Engine | undefined;
  /** What the engine runs with. */
  #config: EngineConfig | undefined;
  #watch: FolderWatch | undefined;
  #sweep: NodeJS.Timeout | undefined;
  /** Lists differ from those nginx would start with. */
  #changed = false;

  constructor(options: RunOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
  }

  async start(yaml: YamlFile): Promise<void> {
    const { configFile, onReady, watch } = this.#options;
    this.#yamlPrint = filePrint(configFile);
    await this.#use(yaml);
    this.#sweep = setInterval(() => {
      this.#sweepSocket();
      void this.#refreshStart();
    }, SWEEP_MS);
    this.#sweepSocket();
    this.#watch = watchFolders(this.#folders(), () => this.#look(), { logger: this.#logger, ...watch });
    const configPath = this.#rendered?.configPath;
    if (configPath !== undefined)
      this.#logger.info(
        { configPath, start: startLine(configPath, yaml.data.nginx ?? {}, path.dirname(yaml.file)) },
        'configuration_rendered',
      );
    const adminUrl = this.#engine?.adminUrl;
    const names = this.#names?.status();
    onReady?.({
      ...(configPath !== undefined && { configPath }),
      ...(adminUrl !== undefined && { adminUrl }),
      ...(names && { names }),
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await this.#watch?.close();
    await this.#engine?.close();
    await this.#names?.close();
  }

  async #look(): Promise<void> {
    const yamlPrint = filePrint(this.#options.configFile);
    const confPrint = this.#renderer?.fingerprint() ?? '';
    const yamlChanged = yamlPrint !== this.#yamlPrint;
    if (!yamlChanged && confPrint === (this.#rendered?.fingerprint ?? '')) {
      this.#refused = '';
      return;
    }
    const print = `${yamlPrint} ${confPrint}`;
    if (print === this.#refused) return;
    try {
      await this.#use(yamlChanged ? readYaml(this.#options.configFile) : this.#yaml!);
      this.#yamlPrint = yamlPrint;
      this.#refused = '';
      this.#watch?.add(this.#folders());
    } catch (error) {
      this.#refused = print;
      tellRefused(error, this.#logger);
    }
  }

  async #use(yaml: YamlFile): Promise<void> {
    const before = this.#yaml;
    try {
      await this.#useAll(yaml);
    } catch (error) {
      if (before) await this.#names?.apply(before).catch((late: unknown) => tellRefused(late, this.#logger));
      throw error;
    }
    if (before && before.data.log_level !== yaml.data.log_level)
      this.#logger.warn({ next: 'it counts from the next start on' }, 'log_level_changed');
  }

  // Everything that can fail comes before nginx is touched.
  async #useAll(yaml: YamlFile): Promise<void> {
    const own = plansOf(yaml);
    const settings = engineSettings(yaml);
    const conf = yaml.data.nginx?.conf;
    if (conf !== undefined && own.length > 0)
      throw new UpsyncError(
        'CONFIG_INVALID',
        `"upstreams" and "nginx.conf" cannot both be given in ${yaml.file}: the nginx.conf says which upstreams there are`,
      );
    await this.#serveNames(yaml);
    const renderer = conf === undefined ? undefined : await this.#rendererFor(yaml, conf);
    const rendered = await renderer?.render(this.#options.signal);
    const nginx = this.#wiring(yaml, renderer, rendered);
    const config: EngineConfig = { ...settings, plans: rendered?.plans ?? own, ...(nginx && { nginx }) };
    const isFirst = this.#engine === undefined;
    rendered?.activate();
    this.#renderer = renderer;
    this.#rendered = rendered;
    this.#yaml = yaml;
    if (rendered && !isFirst) await reloadNginx(this.#nginxPid(yaml), this.#logger);
    await this.#run(config);
  }

  // Loaded when it is used: a sidecar of nginx alone does not pay for DNS.
  async #serveNames(yaml: YamlFile): Promise<void> {
    if (this.#names === undefined && !speaksOfNames(yaml)) return;
    const { ServedNames } = await import('./names/served-names.ts');
    const { env, signal } = this.#options;
    this.#names ??= new ServedNames({ env, signal, logger: this.#logger });
    await this.#names.apply(yaml);
  }

  async #rendererFor(yaml: YamlFile, conf: string): Promise<ConfRenderer> {
    const { binary, prefix, globals, output } = yaml.data.nginx ?? {};
    if (output === undefined)
      throw new UpsyncError(
        'CONFIG_INVALID',
        `"nginx.output" is missing in ${yaml.file}: a folder for the translated configuration`,
      );
    const folder = path.dirname(yaml.file);
    const env = binary === undefined ? this.#options.env : { ...this.#options.env, UPSYNC_NGINX: binary };
    this.#nginx = await requireNginx(env);
    const dictSize = this.#options.env['UPSYNC_DICT_SIZE'];
    return new ConfRenderer({
      nginx: this.#nginx,
      conf: path.resolve(folder, conf),
      prefix: path.resolve(folder, prefix ?? this.#nginx.prefix),
      output: path.resolve(folder, output),
      ...(globals !== undefined && { globals }),
      ...(dictSize !== undefined && { dictSize }),
      ...(this.#options.luaFile !== undefined && { luaFile: this.#options.luaFile }),
      logger: this.#logger,
    });
  }

  #wiring(
    yaml: YamlFile,
    renderer: ConfRenderer | undefined,
    rendered: Rendered | undefined,
  ): NginxWiring | undefined {
    const section = yaml.data.nginx;
    if (!section) return undefined;
    const folder = path.dirname(yaml.file);
    if (!renderer || !rendered || !this.#nginx) {
      if (section.control_socket === undefined)
        throw new UpsyncError(
          'CONFIG_INVALID',
          `"nginx" in ${yaml.file} needs "conf" and "output", or "control_socket"`,
        );
      return { mode: 'workers', controlSocket: path.resolve(folder, section.control_socket) };
    }
    if (rendered.mode === 'workers')
      return { mode: 'workers', controlSocket: renderer.runtime.controlSocket };
    const place = { file: yaml.file, line: yaml.lineOf(['nginx', 'reload_interval']) };
    return {
      mode: 'reload',
      includeDir: renderer.runtime.includes,
      nginxBinary: this.#nginx.path,
      configPath: rendered.configPath,
      prefix: path.resolve(folder, section.prefix ?? this.#nginx.prefix),
      ...(section.globals !== undefined && { globalDirectives: section.globals }),
      ...(section.pid !== undefined && { pidPath: path.resolve(folder, section.pid) }),
      reloadIntervalMs: durationAt(section.reload_interval ?? '1s', place),
      show: { folder: renderer.runtime.shows, upstreams: rendered.shown },
    };
  }

  #nginxPid(yaml: YamlFile): string | undefined {
    const pid = yaml.data.nginx?.pid;
    return pid === undefined ? undefined : path.resolve(path.dirname(yaml.file), pid);
  }

  async #run(config: EngineConfig): Promise<void> {
    const before = this.#config;
    if (this.#engine && (await this.#engine.reload(config))) {
      this.#config = config;
      return;
    }
    await this.#engine?.close();
    try {
      await this.#startEngine(config);
    } catch (error) {
      // An address in use, say: the one before had its own.
      if (before) await this.#startEngine(before);
      throw error;
    }
  }

  async #startEngine(config: EngineConfig): Promise<void> {
    const names = (): NamesStatus | undefined => this.#names?.status();
    const engine = new Engine(config, { ...this.#options.engine, logger: this.#logger, names });
    this.#engine = engine;
    try {
      await engine.start();
      this.#config = config;
      void this.#noteChanges(engine);
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  async #noteChanges(engine: Engine): Promise<void> {
    for await (const _ of engine.changes()) this.#changed = true;
  }

  // An nginx that starts begins with the lists that were written for it last.
  async #refreshStart(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    try {
      await this.#rendered?.refresh();
    } catch (error) {
      this.#changed = true;
      this.#logger.warn({ error: errorText(error), next: 'trying again' }, 'start_lists_not_written');
    }
  }

  #sweepSocket(): void {
    if (this.#renderer) removeStaleSocket(this.#renderer.runtime.controlSocket, SWEEP_MS);
  }

  #folders(): readonly string[] {
    return [path.dirname(this.#options.configFile), ...(this.#renderer?.folders() ?? [])];
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
