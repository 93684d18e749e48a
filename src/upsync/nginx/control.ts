import { Pool } from 'undici';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import type { Server } from '../../upstream/server.ts';
import { encodeLists } from './wire.ts';

export interface ControlOptions {
  /** The control server's unix socket. */
  readonly socketPath: string;
  /** Longest one request may take, the wait for workers not counted. Milliseconds. @default 5000 */
  readonly timeoutMs?: number;
}

/** What one nginx worker says of itself. */
export interface WorkerState {
  /** 0 to the number of workers less one. */
  readonly id: number;
  /** 0 while it has not started. */
  readonly pid: number;
  /** Everything up to this generation is put to work. */
  readonly generation: number;
  /** Version of each list it could not use, by upstream. */
  readonly bad: Readonly<Record<string, number>>;
}

/** What all answers say. Versions and generations are counters of the shared dictionary, which an nginx restart resets. */
export interface WorkersState {
  /** Another text after nginx was restarted. */
  readonly boot: string;
  /** How often the configuration was loaded since. */
  readonly cycle: number;
  readonly generation: number;
  /** The generation of the newest list: while it stays, no list changed. */
  readonly lists: number;
  /** Size of the shared dictionary and what is left of it, in bytes (free whole pages). */
  readonly capacity: number;
  readonly free: number;
  /** In how many locations the worker that answers leaves the log phase out, where the end of a request is no news. */
  readonly locationsWithoutLog: number;
  /** How many addresses the worker that answers need not have parsed any more. */
  readonly keptPeers: number;
  readonly workers: readonly WorkerState[];
}

/** One upstream in the shared dictionary. */
export interface UpstreamState {
  /** 0: the boot file's list. */
  readonly version: number;
  /** CRC-32 of the list's text (`encodeServers`); 0 for the boot file's. */
  readonly crc: number;
  /** A worker whose generation is at least this one uses this version. */
  readonly generation: number;
  readonly servers: number;
}

export interface NginxState extends WorkersState {
  readonly upstreams: Readonly<Record<string, UpstreamState>>;
}

/** What became of the lists of one request. */
export interface PutAnswer extends WorkersState {
  /** `lists` before this request. */
  readonly before: number;
  readonly upstreams: Readonly<
    Record<string, { readonly version: number; readonly generation: number; readonly changed: boolean }>
  >;
  readonly failed: Readonly<Record<string, { readonly code: string; readonly message: string }>>;
}

/** A connection is kept for the next change of a burst, and for the next look. Far less than the server keeps it. Milliseconds. */
const KEPT_MS = 5000;
/** What a connection says that nginx closed just when it was to be used again: its worker was replaced, or died. */
const STALE: ReadonlySet<unknown> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/**
 * Client of the control server that the translated configuration adds to nginx. It may ask again: lists are replaced whole, so
 * that doing it twice is doing it once. A worker that a reload replaces closes the connections it keeps.
 */
export class NginxControl {
  readonly #pool: Pool;
  readonly #socketPath: string;
  readonly #timeoutMs: number;

  constructor(options: ControlOptions) {
    this.#socketPath = options.socketPath;
    this.#timeoutMs = options.timeoutMs ?? 5000;
    this.#pool = new Pool('http://upsync.control', {
      socketPath: options.socketPath,
      connections: 4,
      keepAliveTimeout: KEPT_MS,
      keepAliveMaxTimeout: KEPT_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /**
   * Puts lists in force, each all or nothing; `failed` names those that were refused. Answers as soon as every worker
   * uses them, after `waitMs` at the latest.
   * @throws {UpsyncError} TARGET_UNREACHABLE, TARGET_TIMEOUT, TARGET_CLOSED (aborted), TARGET_ANSWER when the answer is no
   *   such answer, TARGET_REFUSED when nothing of the request was used.
   */
  async put(
    lists: readonly { readonly upstream: string; readonly servers: readonly Server[] }[],
    options: { readonly waitMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<PutAnswer> {
    const waitMs = options.waitMs ?? 0;
    const path = `/lists?wait=${waitMs}`;
    const answer = await this.#request('PUT', path, options.signal, waitMs, encodeLists(lists));
    return answer as PutAnswer;
  }

  /** Everything there is to know, one entry per upstream. @throws {UpsyncError} as {@link put}. */
  async state(signal?: AbortSignal): Promise<NginxState> {
    return (await this.#request('GET', '/state', signal)) as NginxState;
  }

  /** The workers only: cheap with any number of upstreams. @throws {UpsyncError} as {@link put}. */
  async workers(signal?: AbortSignal): Promise<WorkersState> {
    return this.#request('GET', '/workers', signal);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #request(
    method: 'GET' | 'PUT',
    path: string,
    signal: AbortSignal | undefined,
    extraMs = 0,
    body?: string,
  ): Promise<WorkersState> {
    const deadline = AbortSignal.timeout(this.#timeoutMs + extraMs);
    const ask = () =>
      this.#pool.request({
        method,
        path,
        body: body ?? null,
        signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      });
    try {
      const response = await ask().catch((error: unknown) => {
        if (!STALE.has((error as { code?: unknown }).code)) throw error;
        return ask();
      });
      return this.#read(response.statusCode, await response.body.text());
    } catch (error) {
      if (error instanceof UpsyncError) throw error;
      if (deadline.aborted)
        throw this.#error('TARGET_TIMEOUT', `gave no answer in ${this.#timeoutMs + extraMs} ms`, error);
      if (signal?.aborted) throw this.#error('TARGET_CLOSED', 'was not waited for any longer', error);
      throw this.#error('TARGET_UNREACHABLE', `cannot be reached: ${errorText(error)}`, error);
    }
  }

  #read(status: number, text: string): WorkersState {
    let answer: Partial<WorkersState> & {
      readonly error?: { readonly code: string; readonly message: string };
    };
    try {
      answer = JSON.parse(text) as typeof answer;
    } catch (error) {
      throw this.#error('TARGET_ANSWER', `answered ${status} with something that is no JSON`, error);
    }
    if (answer.error)
      throw this.#error('TARGET_REFUSED', `answered ${status} ${answer.error.code}: ${answer.error.message}`);
    if (typeof answer.boot !== 'string' || !Array.isArray(answer.workers))
      throw this.#error('TARGET_ANSWER', `answered ${status} with an unknown kind of JSON`);
    return answer as WorkersState;
  }

  #error(code: string, what: string, cause?: unknown): UpsyncError {
    return new UpsyncError(code, `nginx's control socket ${this.#socketPath} ${what}`, { cause });
  }
}
