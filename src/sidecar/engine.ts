import type { Method } from '../balancer/balancer.ts';
import { errorText } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';
import type { Snapshot } from '../upstream/snapshot.ts';
import { createSync, type Sync, type SyncOptions } from '../upsync/sync.ts';
import type { Target } from '../upsync/target.ts';
import type { AdminServer } from './admin.ts';
import type { EngineConfig, NginxWiring } from './engine-config.ts';
import type { EngineStatus } from './engine-status.ts';
import type { NamesStatus } from './names/names-status.ts';
import { openTarget, sameWiring } from './open-target.ts';
import { openStatusServer, type StatusServer } from './status-server.ts';

export interface EngineOptions {
  readonly logger: Logger;
  /** Replaces the real ones, for tests. */
  readonly sync?: Pick<SyncOptions, 'openSources' | 'resolveName' | 'random'>;
  /** @default openTarget */
  readonly openTarget?: typeof openTarget;
  /** How often the nginx master is looked for. Milliseconds. @default 500 */
  readonly masterCheckMs?: number;
  /** What is served from names beside it, for `status()`. */
  readonly names?: () => NamesStatus | undefined;
}

/** Why an engine ended by itself. */
export type EngineEnd = 'nginx_gone' | 'closed';

/** Longest an apply or a dump under way may take when the engine stops. Milliseconds. */
const STOP_GRACE_MS = 300;

/** Everything that keeps one nginx (or only dump files) in step, and answers how it does. */
export class Engine {
  /** Resolves when the engine ended: because nginx is gone, or by `close()`. */
  readonly ended: Promise<EngineEnd>;
  readonly #options: EngineOptions;
  readonly #startedAt = Date.now();
  #config: EngineConfig;
  #sync: Sync | undefined;
  #statusServer: StatusServer | undefined;
  #admin: AdminServer | undefined;
  #masterCheck: NodeJS.Timeout | undefined;
  #methods: ReadonlyMap<string, Method> = new Map();
  #end: (why: EngineEnd) => void = () => undefined;

  constructor(config: EngineConfig, options: EngineOptions) {
    this.#config = config;
    this.#options = options;
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  /** The address of the admin API, when there is one. */
  get adminUrl(): string | undefined {
    return this.#admin?.url;
  }

  /** @throws when the status socket or the admin address cannot be opened. */
  async start(): Promise<void> {
    const { logger, sync } = this.#options;
    const { plans, nginx, guard } = this.#config;
    this.#useMethods();
    const nginxTargets: Target[] = nginx ? [await this.#openTarget()] : [];
    this.#sync = createSync({ plans, nginxTargets, logger, ...(guard && { guard }), ...sync });
    await this.#openFronts();
    await this.#sync.start();
    this.#masterCheck = setInterval(() => this.#checkMaster(), this.#options.masterCheckMs ?? 500);
    logger.info({ upstreams: plans.length, nginx: nginx?.mode }, 'engine_runs');
  }

  status(): EngineStatus {
    const { nginx } = this.#config;
    const masterPid = nginx?.masterPid;
    const names = this.#options.names?.();
    return {
      pid: process.pid,
      startedAt: this.#startedAt,
      ...(nginx && { nginx: { mode: nginx.mode, ...(masterPid !== undefined && { masterPid }) } }),
      upstreams: this.#sync?.status() ?? [],
      ...(names && { names }),
    };
  }

  /** Lists that change from now on. */
  changes(signal?: AbortSignal): AsyncIterable<Snapshot> {
    if (!this.#sync) throw new TypeError('the engine is not started');
    return this.#sync.changes(signal);
  }

  /**
   * Goes on with another configuration. Upstreams whose plan is the same are not touched.
   * @returns false when that needs a new engine, since lists reach nginx in another way now.
   */
  async reload(config: EngineConfig): Promise<boolean> {
    const before = this.#config;
    const fixed = ({ statusSocket, admin, guard }: EngineConfig): string =>
      JSON.stringify([statusSocket, admin, guard]);
    if (!sameWiring(before.nginx, config.nginx) || fixed(before) !== fixed(config)) return false;
    this.#config = config;
    this.#useMethods();
    await this.#sync?.update(config.plans);
    this.#options.logger.info({ upstreams: config.plans.length }, 'configuration_loaded');
    return true;
  }

  /** Ends long polls, timers and servers; at most a moment is spent on what is under way. */
  async close(): Promise<void> {
    clearInterval(this.#masterCheck);
    await Promise.all([this.#statusServer?.close(), this.#admin?.close()]);
    await this.#sync?.close(STOP_GRACE_MS);
    this.#end('closed');
  }

  #openTarget(): Promise<Target> {
    return (this.#options.openTarget ?? openTarget)({
      wiring: () => this.#config.nginx as NginxWiring,
      methodOf: (upstream) => this.#methods.get(upstream) ?? 'round_robin',
      logger: this.#options.logger,
    });
  }

  async #openFronts(): Promise<void> {
    const { statusSocket, admin } = this.#config;
    if (statusSocket !== undefined)
      this.#statusServer = await openStatusServer(statusSocket, () => this.status());
    if (admin !== undefined && this.#sync) {
      const { openAdmin } = await import('./admin.ts');
      this.#admin = await openAdmin(admin, { status: () => this.status(), sync: this.#sync });
      this.#options.logger.info({ url: this.#admin.url }, 'admin_listens');
    }
  }

  #useMethods(): void {
    this.#methods = new Map(this.#config.plans.map((plan) => [plan.name, plan.balancer.method]));
  }

  // The engine is no child of nginx: without this it would outlive it, and poll registries for nobody.
  #checkMaster(): void {
    const pid = this.#config.nginx?.masterPid;
    if (pid === undefined) return;
    try {
      process.kill(pid, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') return;
      this.#options.logger.info({ masterPid: pid, error: errorText(error) }, 'nginx_gone');
      clearInterval(this.#masterCheck);
      this.#end('nginx_gone');
    }
  }
}
