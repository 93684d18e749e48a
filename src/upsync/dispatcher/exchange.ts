import type { Dispatcher } from 'undici';
import type { Balancer, Peer, PickRequest } from '../../balancer/balancer.ts';
import { UpsyncError } from '../../upstream/errors.ts';
import { failureChannel, pickChannel } from './channels.ts';
import { conditionOfError, NextUpstream } from './next-upstream.ts';

/** What an exchange needs of the dispatcher it belongs to. */
export interface ExchangeHost {
  readonly upstream: string;
  readonly nextUpstream: NextUpstream;
  /** At most so many servers per request; 0 means as many as there are. */
  readonly maxTries: number;
  /** No further server after so many milliseconds; 0 means no limit. */
  readonly nextTimeoutMs: number;
  readonly balancer: Balancer;
  now(): number;
}

/** The caller's side of an exchange, whichever of undici's two handler shapes it has. */
export interface Caller {
  /** Ends the exchange for the caller. */
  fail(error: Error): void;
  /** Sends one attempt to a server; false when its pool is busy, as undici's dispatch says it. */
  send(peer: Peer, exchange: Exchange): boolean;
}

/** A body that can be sent again: none, text or bytes. Streams are gone once they were read. */
function isRepeatable(body: unknown): boolean {
  return body === null || body === undefined || typeof body === 'string' || body instanceof Uint8Array;
}

/** One request of a caller and its attempts at servers, one after the other. */
export class Exchange {
  readonly options: Dispatcher.DispatchOptions;
  readonly #host: ExchangeHost;
  readonly #caller: Caller;
  readonly #request: PickRequest;
  readonly #startedAt: number;
  #tries: number;
  #peer: Peer | undefined;
  #attemptAt = 0;
  #headersAt = 0;

  constructor(host: ExchangeHost, options: Dispatcher.DispatchOptions, key: string, caller: Caller) {
    this.#host = host;
    this.#caller = caller;
    this.options = options;
    this.#startedAt = host.now();
    this.#request = { now: this.#startedAt, key, tried: [], lastResort: true };
    const { tries } = host.balancer;
    this.#tries = host.maxTries > 0 ? Math.min(host.maxTries, tries) : tries;
  }

  /** Picks a server and sends the request there; tells the caller when there is none. */
  next(): boolean {
    const now = this.#host.now();
    this.#request.now = now;
    const peer = this.#host.balancer.pick(this.#request);
    if (peer === undefined) {
      this.#caller.fail(this.#noServer());
      return true;
    }
    this.#tries -= 1;
    this.#peer = peer;
    this.#attemptAt = now;
    this.#headersAt = 0;
    if (pickChannel.hasSubscribers) {
      pickChannel.publish({
        upstream: this.#host.upstream,
        server: peer.server,
        attempt: this.#request.tried.length + 1,
      });
    }
    return this.#caller.send(peer, this);
  }

  /** The server answered; true when its answer is to be dropped and the next server asked. */
  answered(status: number): boolean {
    this.#headersAt = this.#host.now();
    if (!this.#host.nextUpstream.allowsStatus(status, this.options.method) || !this.#mayGoOn()) return false;
    this.#end(NextUpstream.isFailure(status), `status ${status}`);
    return true;
  }

  /** The attempt ended well, as far as the server is concerned. */
  completed(): void {
    this.#end(false, '');
  }

  /** The attempt broke; true when the next server is to be asked. `sent`: the request may have reached the server. */
  broken(error: Error, sent: boolean): boolean {
    const condition = this.#headersAt > 0 ? undefined : conditionOfError(error);
    this.#end(condition !== undefined, error.message);
    if (condition === undefined) return false;
    const body = isRepeatable(this.options.body) || !sent;
    return (
      body && this.#host.nextUpstream.allowsError(condition, this.options.method, sent) && this.#mayGoOn()
    );
  }

  #mayGoOn(): boolean {
    if (this.#tries <= 0) return false;
    return this.#host.nextTimeoutMs === 0 || this.#host.now() - this.#startedAt < this.#host.nextTimeoutMs;
  }

  #end(failed: boolean, reason: string): void {
    const peer = this.#peer;
    if (peer === undefined) return;
    this.#peer = undefined;
    this.#request.tried.push(peer);
    const now = this.#host.now();
    // The newest balancer, also for a peer of a list that was replaced meanwhile: it alone keeps the counts.
    this.#host.balancer.done(peer, failed, now, (this.#headersAt || now) - this.#attemptAt);
    if (failed && failureChannel.hasSubscribers) {
      failureChannel.publish({ upstream: this.#host.upstream, server: peer.server, reason });
    }
  }

  #noServer(): UpsyncError {
    const tried = this.#request.tried.map((peer) => peer.server.address).join(', ');
    return new UpsyncError(
      'NO_LIVE_SERVER',
      `${this.options.method} ${this.options.path}: upstream "${this.#host.upstream}" has no live server` +
        (tried === '' ? '' : ` left after ${tried}`),
    );
  }
}
