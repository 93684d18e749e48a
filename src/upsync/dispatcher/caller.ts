import type { Dispatcher } from 'undici';
import type { Peer } from '../../balancer/balancer.ts';
import type { Caller, Exchange } from './exchange.ts';
import { LegacyAttempt, type LegacyHandler } from './legacy-attempt.ts';
import { ModernAttempt } from './modern-attempt.ts';

/** Sends a request's attempts: to the pool of one server and one origin. */
export type PoolOf = (address: string, origin: string | URL | undefined) => Dispatcher;

// What undici's own dispatchers give a handler when a request fails before it has a connection.
const NO_CONTROLLER: Dispatcher.DispatchController = {
  aborted: false,
  paused: false,
  reason: null,
  abort: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
};

/** A caller with one of undici's handlers; which of the two shapes it has is looked at once. */
export class HandlerCaller implements Caller {
  readonly #options: Dispatcher.DispatchOptions;
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #poolOf: PoolOf;
  readonly #isModern: boolean;

  constructor(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler, poolOf: PoolOf) {
    this.#options = options;
    this.#handler = handler;
    this.#poolOf = poolOf;
    this.#isModern = 'onRequestStart' in handler;
  }

  fail(error: Error): void {
    if (this.#isModern) this.#handler.onResponseError?.(NO_CONTROLLER, error);
    else this.#handler.onError?.(error);
  }

  send(peer: Peer, exchange: Exchange): boolean {
    const attempt = this.#isModern
      ? new ModernAttempt(exchange, this.#handler)
      : (new LegacyAttempt(exchange, this.#handler as LegacyHandler) as Dispatcher.DispatchHandler);
    return this.#poolOf(peer.server.address, this.#options.origin).dispatch(this.#options, attempt);
  }
}
