import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Exchange } from './exchange.ts';
import { DROP_LIMIT_BYTES } from './legacy-attempt.ts';

type Controller = Dispatcher.DispatchController;

/** Hands one exchange's attempts to a handler of undici's newer shape, which interceptors use. */
export class ModernAttempt implements Dispatcher.DispatchHandler {
  readonly #exchange: Exchange;
  readonly #handler: Dispatcher.DispatchHandler;
  #sent = false;
  #dropped = 0;
  #dropping = false;

  constructor(exchange: Exchange, handler: Dispatcher.DispatchHandler) {
    this.#exchange = exchange;
    this.#handler = handler;
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#sent = true;
    this.#handler.onRequestStart?.(controller, context);
  }

  onRequestUpgrade(
    controller: Controller,
    status: number,
    headers: IncomingHttpHeaders,
    socket: Duplex,
  ): void {
    this.#exchange.answered(status);
    socket.once('close', () => this.#exchange.completed());
    this.#handler.onRequestUpgrade?.(controller, status, headers, socket);
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: IncomingHttpHeaders,
    statusText?: string,
  ): void {
    if (status >= 200 && this.#exchange.answered(status)) {
      this.#dropping = true;
      this.#exchange.next();
    } else {
      this.#handler.onResponseStart?.(controller, status, headers, statusText);
    }
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (!this.#dropping) return this.#handler.onResponseData?.(controller, chunk);
    this.#dropped += chunk.length;
    if (this.#dropped > DROP_LIMIT_BYTES)
      controller.abort(new Error('the dropped answer is too long to read'));
  }

  onResponseEnd(controller: Controller, trailers: IncomingHttpHeaders): void {
    if (this.#dropping) return;
    this.#exchange.completed();
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Controller, error: Error): void {
    if (this.#dropping) return;
    if (this.#exchange.broken(error, this.#sent)) this.#exchange.next();
    else this.#handler.onResponseError?.(controller, error);
  }
}
