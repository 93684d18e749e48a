import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { Attempt, DROP_LIMIT_BYTES, type AttemptHost } from './attempt.ts';

type Controller = Dispatcher.DispatchController;

// What undici's own dispatchers give a handler when a request fails before it has a connection.
const NO_CONTROLLER: Controller = {
  aborted: false,
  paused: false,
  reason: null,
  abort: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
};

/** An attempt for a handler of undici's newer shape, which interceptors use. */
export class ModernAttempt extends Attempt implements Dispatcher.DispatchHandler {
  readonly #handler: Dispatcher.DispatchHandler;
  #sent = false;
  #dropping = false;
  #dropped = 0;

  constructor(
    host: AttemptHost,
    options: Dispatcher.DispatchOptions,
    key: string,
    handler: Dispatcher.DispatchHandler,
    before?: Attempt,
  ) {
    super(host, options, key, before);
    this.#handler = handler;
  }

  override fail(error: Error): void {
    this.#handler.onResponseError?.(NO_CONTROLLER, error);
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
    this.upgraded(socket);
    this.#handler.onRequestUpgrade?.(controller, status, headers, socket);
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: IncomingHttpHeaders,
    statusText?: string,
  ): void {
    if (status >= 200 && this.answered(status)) this.#dropping = true;
    else this.#handler.onResponseStart?.(controller, status, headers, statusText);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (!this.#dropping) return this.#handler.onResponseData?.(controller, chunk);
    this.#dropped += chunk.length;
    if (this.#dropped > DROP_LIMIT_BYTES)
      controller.abort(new Error('the dropped answer is too long to read'));
  }

  onResponseEnd(controller: Controller, trailers: IncomingHttpHeaders): void {
    if (this.#dropping) return;
    this.completed();
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Controller, error: Error): void {
    if (this.#dropping) return;
    // Before a request is begun, undici has no controller for it.
    if (!this.broken(error, this.#sent, this.#sent && controller.aborted))
      this.#handler.onResponseError?.(controller, error);
  }

  protected override again(host: AttemptHost, options: Dispatcher.DispatchOptions, key: string): Attempt {
    return new ModernAttempt(host, options, key, this.#handler, this);
  }
}
