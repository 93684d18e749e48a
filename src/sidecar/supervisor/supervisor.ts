import { rmSync } from 'node:fs';
import { constants } from 'node:os';
import { errorText } from '../../upstream/errors.ts';
import { returnMemoryLater } from '../return-memory.ts';
import { waitForNewMaster } from './binary-upgrade.ts';
import { endProcess } from './end-process.ts';
import { EngineProcess } from './engine-process.ts';
import { engineConfig } from './engine-wiring.ts';
import { launch } from './launch.ts';
import { nginxArguments } from './nginx-arguments.ts';
import { type NginxMaster, type ProcessEnd, adoptMaster } from './nginx-master.ts';
import { removePidFile, writePidFile } from './pid-file.ts';
import type { Preparation } from './preparation.ts';
import type { MasterSignal } from './process-signals.ts';
import { hupAndVerify } from './reload.ts';
import { identify, isRunning, readState, writeState } from './state-file.ts';
import type { SupervisorOptions } from './supervisor-options.ts';
import { testConfiguration } from './test-configuration.ts';
import { WorkerWatch } from './worker-watch.ts';

const SEE = "nginx's error log";
const LUA_REMEDY =
  'for lists without a reload, install the Lua module: libnginx-mod-http-lua on Debian and Ubuntu; OpenResty has it built in';

/** Stands where nginx's master process stood: starts it, takes its signals, keeps the engine going, cleans up. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #stop = new AbortController();
  readonly #engine: EngineProcess;
  readonly #workers = new WorkerWatch(() => this.#master?.pid);
  readonly #ended: Promise<ProcessEnd>;
  #end!: (end: ProcessEnd) => void;
  #master: NginxMaster | undefined;
  /** The master before a binary upgrade, as long as it runs beside the new one. */
  #old: NginxMaster | undefined;
  #current: Preparation | undefined;
  #tasks: Promise<void> = Promise.resolve();
  #reloadWaits = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#ended = new Promise((resolve) => (this.#end = resolve));
    this.#engine = new EngineProcess({
      program: options.engineProgram,
      configFile: options.runtime.engineConfig,
      logger: options.logger,
      stderr: options.engineStderr,
      onStart: () => this.#saveState(),
    });
  }

  /**
   * Brings nginx up; resolves when it listens and the pid file names us. False, all said, when nginx could not start.
   * @throws {UpsyncError} when the configuration cannot be used, or a registry that must answer does not.
   */
  async start(): Promise<boolean> {
    const { runtime, logger } = this.#options;
    const preparation = await this.#options.prepare(this.#stop.signal);
    for (const warning of preparation.warnings) this.#options.print(`nginx: [warn] ${warning}\n`);
    const left = readState(runtime.state);
    this.#current = preparation;
    if (isRunning(left?.master)) {
      if (!(await this.#passes(preparation))) return false;
      // The engine of a supervisor that was killed goes on as long as nginx does.
      await endProcess(left.engine);
      logger.warn({ nginx: left.master.pid }, 'nginx_of_dead_supervisor_adopted');
      await this.#adopt(adoptMaster(left.master.pid), preparation);
    } else if (!(await this.#launch(preparation))) return false;
    this.#configureEngine();
    returnMemoryLater(logger);
    await this.#workers.start();
    writePidFile(preparation.pidPath, process.pid);
    this.#saveState();
    logger.info(
      { nginx: this.#master?.pid, mode: preparation.mode, upstreams: preparation.plans.length },
      'nginx_started',
    );
    if (preparation.mode === 'reload' && preparation.plans.length > 0)
      logger.warn({ remedy: LUA_REMEDY }, 'lua_module_missing_so_lists_need_reloads');
    return true;
  }

  /** A signal told us to end. */
  get isStopping(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Resolves with the exit code once nginx is gone. */
  async wait(): Promise<number> {
    const { code, signal } = await this.#ended;
    if (!this.isStopping) {
      this.#options.logger.error({ nginx: this.#master?.pid, code, signal }, 'nginx_ended_by_itself');
      this.#workers.endOrphans(this.#options.logger);
    }
    return signal === undefined ? (code ?? 0) : 128 + (constants.signals[signal] ?? 0);
  }

  /** Ends the engine, and removes what we made unless nginx still needs it. */
  async close(): Promise<void> {
    this.#workers.stop();
    await this.#engine.stop();
    if (this.#current) removePidFile(this.#current.pidPath, process.pid);
    // An nginx that could not be taken over, for instance, runs on in there.
    if (isRunning(readState(this.#options.runtime.state)?.master)) return;
    rmSync(this.#options.runtime.folder, { recursive: true, force: true });
  }

  /** Does what nginx's master does at this signal. */
  onSignal(signal: MasterSignal): void {
    const master = this.#master;
    switch (signal) {
      case 'SIGTERM':
      case 'SIGINT':
      case 'SIGQUIT':
        this.#stop.abort(new Error(`stopped by ${signal}`));
        master?.kill(signal);
        break;
      case 'SIGHUP':
        if (!this.#reloadWaits) this.#run('reload', () => this.#reload());
        this.#reloadWaits = true;
        break;
      case 'SIGUSR1':
        master?.kill(signal);
        if (this.#options.reopenLog()) this.#engine.restart();
        break;
      case 'SIGUSR2':
        this.#run('binary_upgrade', () => this.#upgrade());
        break;
      case 'SIGWINCH':
        master?.kill(signal);
    }
  }

  async #launch(preparation: Preparation): Promise<boolean> {
    const { runtime, nginx, args, daemon, logsToFile, print } = this.#options;
    // Where nginx's standard error is the log itself it cannot be caught at the start: nginx checks beforehand then, so
    // that its messages can be told in terms of the user's files.
    if (!logsToFile && !(await this.#passes(preparation))) return false;
    this.#stop.signal.throwIfAborted();
    preparation.activate();
    const say = (text: string): void => print(preparation.toUserPaths(text));
    const master = await launch({
      nginx: nginx.path,
      args: nginxArguments(args, { configPath: preparation.configPath, pidFile: runtime.nginxPid, daemon }),
      runtime,
      daemon,
      signal: this.#stop.signal,
      ...(logsToFile && { say }),
      onSpawn: (early) => {
        this.#watch(early);
        this.#saveState();
      },
    });
    return master !== undefined;
  }

  async #adopt(master: NginxMaster, preparation: Preparation): Promise<void> {
    preparation.activate();
    this.#watch(master);
    if (!(await hupAndVerify(master)))
      this.#options.logger.error({ nginx: master.pid, see: SEE }, 'nginx_kept_old_configuration');
  }

  async #passes(preparation: Preparation): Promise<boolean> {
    const { ok, output } = await this.#test(preparation);
    if (!ok) this.#options.print(preparation.toUserPaths(output));
    return ok;
  }

  #test(preparation: Preparation): Promise<{ readonly ok: boolean; readonly output: string }> {
    const { nginx, args, runtime, daemon } = this.#options;
    const master = { configPath: preparation.testPath, pidFile: runtime.nginxPid, daemon };
    return testConfiguration(nginx.path, nginxArguments(args, master), runtime.scratch);
  }

  // The old configuration stays in force, in nginx and in the engine, unless every step succeeds.
  async #reload(): Promise<void> {
    this.#reloadWaits = false;
    const { logger } = this.#options;
    const [master, before] = [this.#master, this.#current];
    if (!master || !before || this.#stop.signal.aborted) return;
    const next = await this.#options.prepare(this.#stop.signal);
    const test = await this.#test(next);
    if (!test.ok) {
      next.discard();
      for (const reason of next.toUserPaths(test.output).trim().split('\n'))
        logger.error({ reason }, 'configuration_rejected');
      return;
    }
    next.activate();
    if (!(await hupAndVerify(master))) {
      before.activate();
      next.discard();
      logger.error({ nginx: master.pid, see: SEE }, 'nginx_kept_old_configuration');
      return;
    }
    this.#workers.look();
    this.#current = next;
    before.discard();
    for (const warning of next.warnings) logger.warn({ warning }, 'configuration_warning');
    if (before.pidPath !== next.pidPath) {
      writePidFile(next.pidPath, process.pid);
      removePidFile(before.pidPath, process.pid);
    }
    this.#configureEngine();
    this.#saveState();
    returnMemoryLater(logger);
    logger.info({ nginx: master.pid, upstreams: next.plans.length }, 'configuration_reloaded');
  }

  async #upgrade(): Promise<void> {
    const { logger, runtime } = this.#options;
    const [old, current] = [this.#master, this.#current];
    if (!old || !current || this.#old) return;
    // The new program begins with an empty dictionary: it must not begin with the lists of our own start.
    await current.startWith(this.#options.lastLists);
    old.kill('SIGUSR2');
    // nginx in the foreground ignores this signal, and so do we.
    if (!this.#options.daemon) return;
    const master = await waitForNewMaster(old, runtime.nginxPid, this.#stop.signal);
    if (!master) {
      logger.error({ nginx: old.pid, see: SEE }, 'binary_upgrade_failed');
      return;
    }
    this.#old = old;
    // As with nginx, this file names the process to end with QUIT, or to go back to.
    writePidFile(`${current.pidPath}.oldbin`, old.pid);
    this.#watch(master);
    this.#configureEngine();
    this.#saveState();
    logger.info({ nginx: master.pid, before: old.pid }, 'binary_upgraded');
  }

  #watch(master: NginxMaster): void {
    this.#master = master;
    void master.ended.then((end) => this.#onEnded(master, end));
  }

  #onEnded(master: NginxMaster, end: ProcessEnd): void {
    const oldPid = this.#current && `${this.#current.pidPath}.oldbin`;
    if (master !== this.#master && master !== this.#old) return;
    if (this.#old && oldPid !== undefined) removePidFile(oldPid, this.#old.pid);
    if (master === this.#old) this.#old = undefined;
    else if (this.#old) {
      // The new program ended: the old one is nginx again.
      this.#master = this.#old;
      this.#old = undefined;
      this.#options.logger.warn({ nginx: this.#master.pid }, 'binary_upgrade_undone');
    } else this.#end(end);
    if (this.#master !== master) {
      this.#configureEngine();
      this.#saveState();
    }
  }

  #run(what: string, task: () => Promise<void>): void {
    this.#tasks = this.#tasks.then(task).catch((error: unknown) => {
      for (const reason of errorText(error).split('\n'))
        this.#options.logger.error({ reason }, `${what}_failed`);
    });
  }

  #configureEngine(): void {
    const { nginx, args, runtime } = this.#options;
    if (!this.#current || !this.#master) return;
    this.#engine.configure(
      engineConfig({ preparation: this.#current, masterPid: this.#master.pid, nginx, args, runtime }),
    );
  }

  #saveState(): void {
    if (!this.#current) return;
    const { runtime } = this.#options;
    const engine = this.#engine.pid;
    writeState(runtime.state, {
      supervisor: identify(process.pid),
      ...(this.#master && { master: identify(this.#master.pid) }),
      ...(engine !== undefined && { engine: identify(engine) }),
      main: this.#current.main,
      prefix: this.#current.prefix,
      pidPath: this.#current.pidPath,
    });
  }
}
