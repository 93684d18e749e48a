import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { Attempt, DROP_LIMIT_BYTES, type AttemptHost } from './attempt.ts';

/** The shape of the handlers undici's own verbs and fetch use; `Dispatcher.DispatchHandler` types it only in part. */
export interface LegacyHandler {
  onConnect?(abort: (error?: Error) => void, context?: unknown): void;
  onError?(error: Error): void;
  onUpgrade?(status: number, headers: unknown, socket: Duplex): void;
  onResponseStarted?(): void;
  onHeaders?(status: number, headers: unknown, resume: () => void, statusText: string): boolean | void;
  onData?(chunk: Buffer): boolean | void;
  onComplete?(trailers: unknown): void;
  onBodySent?(chunk: unknown): void;
  onRequestSent?(): void;
}

/** An attempt for a handler of undici's older shape; nothing is converted on the way. */
export class LegacyAttempt extends Attempt {
  readonly #handler: LegacyHandler;
  #abort: ((error?: Error) => void) | undefined;
  #aborted = false;
  #dropping = false;
  #dropped = 0;

  constructor(
    host: AttemptHost,
    options: Dispatcher.DispatchOptions,
    key: string,
    handler: LegacyHandler,
    before?: Attempt,
  ) {
    super(host, options, key, before);
    this.#handler = handler;
  }

  override fail(error: Error): void {
    this.#handler.onError?.(error);
  }

  onConnect(abort: (error?: Error) => void, context?: unknown): void {
    this.#abort = abort;
    this.#handler.onConnect?.((error) => {
      this.#aborted = true;
      abort(error);
    }, context);
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.();
  }

  onBodySent(chunk: unknown): void {
    this.#handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.();
  }

  onUpgrade(status: number, headers: unknown, socket: Duplex): void {
    this.upgraded(socket);
    this.#handler.onUpgrade?.(status, headers, socket);
  }

  onHeaders(status: number, headers: unknown, resume: () => void, statusText: string): boolean | void {
    if (status >= 200 && this.answered(status)) {
      this.#dropping = true;
      return true;
    }
    return this.#handler.onHeaders?.(status, headers, resume, statusText);
  }

  onData(chunk: Buffer): boolean | void {
    if (!this.#dropping) return this.#handler.onData?.(chunk);
    this.#dropped += chunk.length;
    if (this.#dropped > DROP_LIMIT_BYTES) this.#abort?.();
    return true;
  }

  onComplete(trailers: unknown): void {
    if (this.#dropping) return;
    this.completed();
    this.#handler.onComplete?.(trailers);
  }

  onError(error: Error): void {
    if (this.#dropping) return;
    if (!this.broken(error, this.#abort !== undefined, this.#aborted)) this.#handler.onError?.(error);
  }

  protected override again(host: AttemptHost, options: Dispatcher.DispatchOptions, key: string): Attempt {
    return new LegacyAttempt(host, options, key, this.#handler, this);
  }
}
