import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Method } from '../../balancer/balancer.ts';
import { errorText, type Result, UpsyncError } from '../../upstream/errors.ts';
import type { Logger } from '../../upstream/logger.ts';
import type { Snapshot } from '../../upstream/snapshot.ts';
import type { ApplyReport, Target, WorkerReport } from '../target.ts';
import { includeFileName } from '../nginx/file-names.ts';
import { includeText } from './include-text.ts';
import { masterPid, reload, type ReloadOptions, testConfiguration } from './nginx-reload.ts';
import { replaceText } from './replace-text.ts';
import type { ShowFiles } from './show-files.ts';

export interface IncludeFileOptions extends ReloadOptions {
  readonly includeDir: string;
  /** At most one reload in this time, changes gathered meanwhile. Milliseconds. @default 1000 */
  readonly reloadIntervalMs?: number;
  /** The balancing method of an upstream, which decides what its lines may say. */
  readonly methodOf: (upstream: string) => Method;
  /** The texts of `upstream_show`, when the configuration has it. */
  readonly show?: ShowFiles;
  readonly logger: Logger;
}

interface Change {
  readonly snapshot: Snapshot;
  readonly file: string;
  readonly text: string;
  /** What was there before; undefined when the file did not exist. */
  readonly before: string | undefined;
}

/**
 * nginx without its Lua module: writes include files, lets `nginx -t` judge them, and reloads. A list that nginx refuses is
 * taken back and the others go on.
 */
export class IncludeFileTarget implements Target {
  readonly description: string;
  readonly intervalMs: number;
  readonly #options: IncludeFileOptions;
  /** Versions that the nginx of `#pid` has loaded. */
  readonly #loaded = new Map<string, number>();
  #pid: number | undefined;
  #workers: readonly number[] = [];

  constructor(options: IncludeFileOptions) {
    this.#options = options;
    this.description = `nginx include files ${options.includeDir}`;
    this.intervalMs = options.reloadIntervalMs ?? 1000;
  }

  async apply(snapshot: Snapshot, signal?: AbortSignal): Promise<ApplyReport> {
    const [result] = await this.applyMany([snapshot], signal);
    if (!result!.ok) throw result!.error;
    return result!.value;
  }

  async applyMany(
    snapshots: readonly Snapshot[],
    signal?: AbortSignal,
  ): Promise<readonly Result<ApplyReport>[]> {
    const { includeDir } = this.#options;
    await mkdir(includeDir, { recursive: true });
    const pid = await masterPid(this.#options);
    // A master that took another's place has read files of an unknown moment.
    const replaced = this.#loaded.size > 0 && pid !== undefined && pid !== this.#pid;
    const refused = new Map<string, UpsyncError>();
    const changes: Change[] = [];
    try {
      for (const snapshot of snapshots) {
        const change = await this.#prepare(snapshot);
        if (change) {
          changes.push(change);
          await replaceText(change.file, change.text);
        }
      }
      await this.#check(changes, refused, signal);
      if (pid !== undefined && (changes.length > 0 || replaced)) this.#workers = await reload(pid, signal);
    } catch (error) {
      await this.#putBack(changes);
      throw error instanceof UpsyncError
        ? error
        : new UpsyncError('TARGET_FILE', `cannot write ${includeDir}: ${errorText(error)}`, { cause: error });
    }
    if (replaced) this.#loaded.clear();
    this.#pid = pid;
    await this.#show(snapshots.filter((snapshot) => !refused.has(snapshot.upstream)));
    return snapshots.map((snapshot) => {
      const error = refused.get(snapshot.upstream);
      if (error) return { ok: false, error };
      this.#loaded.set(snapshot.upstream, snapshot.version);
      return { ok: true, value: this.#report(snapshot.upstream, snapshot.version) };
    });
  }

  async reports(): Promise<readonly ApplyReport[]> {
    // nginx was restarted, or started: what it has read is not known, so every list counts as lost.
    if ((await masterPid(this.#options)) !== this.#pid) return [];
    return [...this.#loaded].map(([upstream, version]) => this.#report(upstream, version));
  }

  async close(): Promise<void> {
    this.#loaded.clear();
  }

  async #prepare(snapshot: Snapshot): Promise<Change | undefined> {
    const file = join(this.#options.includeDir, includeFileName(snapshot.upstream));
    const text = includeText(snapshot.servers, this.#options.methodOf(snapshot.upstream));
    const before = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    return text === before ? undefined : { snapshot, file, text, before };
  }

  // nginx names the file it stumbled over: that one is taken back, and the rest is tried again.
  async #check(changes: Change[], refused: Map<string, UpsyncError>, signal?: AbortSignal): Promise<void> {
    while (changes.length > 0) {
      try {
        return await testConfiguration(this.#options, signal);
      } catch (error) {
        if (!(error instanceof UpsyncError)) throw error;
        const { message } = error;
        const at = changes.findIndex((change) => message.includes(`${change.file}:`));
        if (at < 0) throw error;
        const [bad] = changes.splice(at, 1);
        await this.#putBack([bad!]);
        refused.set(bad!.snapshot.upstream, error);
      }
    }
  }

  async #putBack(changes: readonly Change[]): Promise<void> {
    for (const { file, before } of changes) {
      try {
        if (before === undefined) await rm(file, { force: true });
        else await replaceText(file, before);
      } catch (error) {
        this.#options.logger.error({ file, error: errorText(error) }, 'include_file_not_put_back');
      }
    }
  }

  // What is shown must not decide about what is served: a failure is told, and the next change tries again.
  async #show(loaded: readonly Snapshot[]): Promise<void> {
    try {
      await this.#options.show?.update(loaded);
    } catch (error) {
      this.#options.logger.error({ error: errorText(error) }, 'show_files_not_written');
    }
  }

  #report(upstream: string, version: number): ApplyReport {
    const workers: WorkerReport[] = this.#workers.map((pid) => ({ pid, version }));
    return { upstream, version, workers };
  }
}
