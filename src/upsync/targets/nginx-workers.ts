import { crc32 } from 'node:zlib';
import { type Result, UpsyncError } from '../../upstream/errors.ts';
import type { Logger } from '../../upstream/logger.ts';
import type { Snapshot } from '../../upstream/snapshot.ts';
import {
  NginxControl,
  type NginxState,
  type PutAnswer,
  type UpstreamState,
  type WorkersState,
  type WorkerState,
} from '../nginx/control.ts';
import { encodeServers } from '../nginx/wire.ts';
import type { ApplyReport, Target, WorkerReport } from '../target.ts';

export interface NginxWorkersOptions {
  /** The control server's unix socket, in the runtime directory of the translated configuration. */
  readonly socketPath: string;
  readonly logger: Logger;
  /** How long `apply` waits until every worker uses the list. Milliseconds. @default 2000 */
  readonly ackTimeoutMs?: number;
  /** Longest a request to nginx may take beside that. Milliseconds. @default 5000 */
  readonly timeoutMs?: number;
}

/** The workers of an nginx, reached through its control socket: no reload, no restart, one request for all of them. */
export interface NginxWorkersTarget extends Target {
  applyMany(snapshots: readonly Snapshot[], signal?: AbortSignal): Promise<readonly Result<ApplyReport>[]>;
  reports(signal?: AbortSignal): Promise<readonly ApplyReport[]>;
  /** What nginx says now. @throws {UpsyncError} TARGET_… when it cannot be asked. */
  state(signal?: AbortSignal): Promise<NginxState>;
  /** True when nginx, as last heard, has another list than this one: it was restarted, or someone else wrote. */
  differs(snapshot: Snapshot): boolean;
}

/** What this target gave nginx for one upstream. */
interface Given {
  readonly version: number;
  readonly crc: number;
  /** Kept as long as it is true: thousands are asked for every second. */
  report: ApplyReport;
}

type InNginx = Pick<UpstreamState, 'version' | 'generation'>;

/** The lists of one nginx process and configuration. */
interface Heard {
  readonly boot: string;
  readonly cycle: number;
  lists: number;
  readonly upstreams: Map<string, Pick<UpstreamState, 'version' | 'crc' | 'generation'>>;
}

/** A target for the workers of the nginx behind `socketPath`. It may be created before nginx runs. */
export function createNginxWorkersTarget(options: NginxWorkersOptions): NginxWorkersTarget {
  return new NginxWorkers(options);
}

class NginxWorkers implements NginxWorkersTarget {
  readonly description: string;
  readonly #control: NginxControl;
  readonly #logger: Logger;
  readonly #ackTimeoutMs: number;
  readonly #given = new Map<string, Given>();
  /** What nginx has, as last heard. Kept up to date by what it answers, so that thousands need not be asked for again. */
  #heard: Heard | undefined;
  /** The answer to the last question for reports. */
  #reports: readonly ApplyReport[] = [];
  /** Shared by reports that say the same, which after a start are all. */
  #workers: readonly WorkerReport[] = [];

  constructor(options: NginxWorkersOptions) {
    this.description = `nginx ${options.socketPath}`;
    this.#logger = options.logger;
    this.#ackTimeoutMs = options.ackTimeoutMs ?? 2000;
    this.#control = new NginxControl({
      socketPath: options.socketPath,
      ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
    });
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
    if (snapshots.length === 0) return [];
    const answer = await this.#control.put(snapshots, {
      waitMs: this.#ackTimeoutMs,
      ...(signal && { signal }),
    });
    this.#warnOfLag(answer);
    // If somebody else changed lists in between, the next question is for all of them.
    if (isUpToDate(this.#heard, answer, answer.before)) this.#heard.lists = answer.lists;
    else this.#heard = undefined;
    return snapshots.map((snapshot) => this.#settle(snapshot, answer));
  }

  async reports(signal?: AbortSignal): Promise<readonly ApplyReport[]> {
    let now: WorkersState = await this.#control.workers(signal);
    if (!isUpToDate(this.#heard, now, now.lists)) now = await this.state(signal);
    const reports: ApplyReport[] = [];
    for (const [upstream, given] of this.#given) {
      const inNginx = this.#heard?.upstreams.get(upstream);
      // Compared by content: versions of the dictionary start again with each nginx.
      if (inNginx?.crc !== given.crc || inNginx.version === 0) continue;
      const { version } = given;
      if (!isStillTrue(given.report, now, inNginx))
        given.report = { upstream, version, workers: this.#workersOf(now, upstream, inNginx, version) };
      reports.push(given.report);
    }
    const before = this.#reports;
    const changed = reports.length !== before.length || reports.some((report, at) => report !== before[at]);
    if (changed) this.#reports = reports;
    return this.#reports;
  }

  async state(signal?: AbortSignal): Promise<NginxState> {
    const state = await this.#control.state(signal);
    const { boot, cycle, lists } = state;
    this.#heard = { boot, cycle, lists, upstreams: new Map(Object.entries(state.upstreams)) };
    return state;
  }

  differs(snapshot: Snapshot): boolean {
    const inNginx = this.#heard?.upstreams.get(snapshot.upstream);
    return inNginx === undefined || inNginx.version === 0 || inNginx.crc !== crcOf(snapshot);
  }

  async close(): Promise<void> {
    await this.#control.close();
  }

  #settle(snapshot: Snapshot, answer: PutAnswer): Result<ApplyReport> {
    const { upstream, version } = snapshot;
    const accepted = answer.upstreams[upstream];
    if (!accepted) {
      const { code, message } = answer.failed[upstream] ?? {
        code: 'ANSWER',
        message: 'nginx did not say why',
      };
      return {
        ok: false,
        error: new UpsyncError(`TARGET_${code}`, `${this.description}, upstream "${upstream}": ${message}`),
      };
    }
    const crc = crcOf(snapshot);
    const report = { upstream, version, workers: this.#workersOf(answer, upstream, accepted, version) };
    this.#given.set(upstream, { version, crc, report });
    const { generation } = accepted;
    this.#heard?.upstreams.set(upstream, { version: accepted.version, crc, generation });
    if (
      answer.workers.length > 0 &&
      answer.workers.every((worker) => isBad(worker.bad[upstream], accepted.version))
    )
      return {
        ok: false,
        error: new UpsyncError(
          'TARGET_WORKERS_FAILED',
          `${this.description}: no worker can use the list of upstream "${upstream}"; the old one stays, see nginx's error log`,
        ),
      };
    return { ok: true, value: report };
  }

  /** Each started worker, with the version when it uses it. */
  #workersOf(
    { workers }: WorkersState,
    upstream: string,
    inNginx: InNginx,
    version: number,
  ): readonly WorkerReport[] {
    const told = workers
      .filter(({ pid }) => pid > 0)
      .map((worker) => ({ pid: worker.pid, version: uses(worker, upstream, inNginx) ? version : undefined }));
    const shared = this.#workers;
    const isSame =
      told.length === shared.length &&
      told.every(({ pid, version: used }, at) => pid === shared[at]!.pid && used === shared[at]!.version);
    if (!isSame) this.#workers = told;
    return this.#workers;
  }

  #warnOfLag(answer: PutAnswer): void {
    const wanted = Math.max(0, ...Object.values(answer.upstreams).map(({ generation }) => generation));
    const behind = answer.workers.filter((worker) => worker.generation < wanted);
    if (behind.length === 0) return;
    this.#logger.warn(
      {
        target: this.description,
        pids: behind.map(({ pid }) => pid),
        waitedMs: this.#ackTimeoutMs,
        next: 'asking again with the next check',
      },
      'workers_lag',
    );
  }
}

function isUpToDate(heard: Heard | undefined, { boot, cycle }: WorkersState, lists: number): heard is Heard {
  return heard?.boot === boot && heard.cycle === cycle && heard.lists === lists;
}

/** Whether a report would be made just so again. */
function isStillTrue(
  { upstream, version, workers: told }: ApplyReport,
  { workers }: WorkersState,
  inNginx: InNginx,
): boolean {
  let at = 0;
  for (const worker of workers) {
    if (worker.pid <= 0) continue;
    const before = told[at++];
    const used = uses(worker, upstream, inNginx) ? version : undefined;
    if (before?.pid !== worker.pid || before.version !== used) return false;
  }
  return at === told.length;
}

function uses({ generation, bad }: WorkerState, upstream: string, inNginx: InNginx): boolean {
  return generation >= inNginx.generation && !isBad(bad[upstream], inNginx.version);
}

/** A list that could not be used stays marked until a later one could. */
function isBad(badVersion: number | undefined, version: number): boolean {
  return badVersion !== undefined && badVersion >= version;
}

function crcOf(snapshot: Snapshot): number {
  return crc32(encodeServers(snapshot.servers));
}
