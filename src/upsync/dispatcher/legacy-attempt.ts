import type { Duplex } from 'node:stream';
import type { Exchange } from './exchange.ts';

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

/** A dropped answer is read to its end so that the connection can be used again, up to this size. */
export const DROP_LIMIT_BYTES = 64 * 1024;

/** Hands one exchange's attempts to a handler of undici's older shape; nothing is converted on the way. */
export class LegacyAttempt {
  readonly #exchange: Exchange;
  readonly #handler: LegacyHandler;
  #abort: ((error?: Error) => void) | undefined;
  #sent = false;
  #dropped = 0;
  #dropping = false;

  constructor(exchange: Exchange, handler: LegacyHandler) {
    this.#exchange = exchange;
    this.#handler = handler;
  }

  onConnect(abort: (error?: Error) => void, context?: unknown): void {
    this.#sent = true;
    this.#abort = abort;
    this.#handler.onConnect?.(abort, context);
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
    this.#exchange.answered(status);
    socket.once('close', () => this.#exchange.completed());
    this.#handler.onUpgrade?.(status, headers, socket);
  }

  onHeaders(status: number, headers: unknown, resume: () => void, statusText: string): boolean | void {
    if (status >= 200 && this.#exchange.answered(status)) {
      this.#dropping = true;
      this.#exchange.next();
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
    this.#exchange.completed();
    this.#handler.onComplete?.(trailers);
  }

  onError(error: Error): void {
    if (this.#dropping) return;
    if (this.#exchange.broken(error, this.#sent)) this.#exchange.next();
    else this.#handler.onError?.(error);
  }
}
