import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Balancer, Peer, PickRequest } from '../../balancer/balancer.ts';
import { UpsyncError } from '../../upstream/errors.ts';
import { type AttemptFailureMessage, failureChannel, pickChannel, type PickMessage } from './channels.ts';
import { conditionOfError, isRefusedStream, NextUpstream } from './next-upstream.ts';
import { isAsyncPieces, isBodyError, isRepeatable, KeptBody } from './repeatable-body.ts';

/** What an attempt needs of the dispatcher it belongs to. */
export interface AttemptHost {
  readonly upstream: string;
  readonly nextUpstream: NextUpstream;
  /** At most so many servers per request; 0 means as many as there are. */
  readonly maxTries: number;
  /** No further server after so many milliseconds; 0 means no limit. */
  readonly nextTimeoutMs: number;
  readonly balancer: Balancer;
  /** True once no further server may be asked. */
  readonly destroyed: boolean;
  /** Filled in for each pick; a balancer keeps nothing of it. */
  readonly pickRequest: PickRequest;
  /** The pool of one server for one origin. */
  readonly poolOf: (address: string, origin: string | URL | undefined) => Dispatcher;
}

/** A dropped answer is read to its end so that the connection can be used again, up to this size. */
export const DROP_LIMIT_BYTES = 64 * 1024;

/** Shared by all first attempts, and never changed. */
const NONE: Peer[] = [];

/**
 * One attempt of a caller's request at one server. It also carries all that is kept of the request, so that one which goes
 * well costs a single object; each further attempt is an object of its own, as a dropped answer may still be coming in.
 */
export abstract class Attempt {
  readonly #host: AttemptHost;
  readonly #options: Dispatcher.DispatchOptions;
  readonly #key: string;
  readonly #requestedAt: number;
  /** The servers of earlier attempts, and how many more there may be. */
  readonly #tried: Peer[];
  #triesLeft: number;
  #peer: Peer | undefined;
  #startedAt: number;
  #headersAt = 0;
  #ended = false;

  /** `before` is the attempt that this one follows. */
  constructor(host: AttemptHost, options: Dispatcher.DispatchOptions, key: string, before?: Attempt) {
    const now = performance.now();
    this.#host = host;
    this.#options = before === undefined ? withKeptBody(options, host.nextUpstream) : options;
    this.#key = key;
    this.#startedAt = now;
    if (before === undefined) {
      const { tries } = host.balancer;
      this.#requestedAt = now;
      this.#tried = NONE;
      this.#triesLeft = host.maxTries > 0 ? Math.min(host.maxTries, tries) : tries;
    } else {
      this.#requestedAt = before.#requestedAt;
      this.#tried = before.#peer === undefined ? before.#tried : [...before.#tried, before.#peer];
      this.#triesLeft = before.#triesLeft;
    }
  }

  /** Picks a server and sends the request there; false when its pool is busy, as undici's dispatch says it. */
  send(): boolean {
    const host = this.#host;
    const pickRequest = host.pickRequest;
    pickRequest.now = this.#startedAt;
    pickRequest.key = this.#key;
    pickRequest.tried = this.#tried;
    const peer = host.balancer.pick(pickRequest);
    if (peer === undefined) {
      this.fail(this.#noServer());
      return true;
    }
    this.#triesLeft -= 1;
    this.#peer = peer;
    const { server } = peer;
    if (pickChannel.hasSubscribers) {
      const message: PickMessage = { upstream: host.upstream, server, attempt: this.#tried.length + 1 };
      pickChannel.publish(message);
    }
    try {
      return host
        .poolOf(server.address, this.#options.origin)
        .dispatch(this.#options, this as Dispatcher.DispatchHandler);
    } catch (error) {
      // An origin that cannot be, for instance; no server is to blame.
      this.#end(false, '');
      this.fail(error as Error);
      return true;
    }
  }

  /** Ends the request for the caller. */
  abstract fail(error: Error): void;

  /** The same request once more. */
  protected abstract again(host: AttemptHost, options: Dispatcher.DispatchOptions, key: string): Attempt;

  /** The server answered; true when its answer is to be dropped, as the next server was asked. */
  protected answered(status: number): boolean {
    this.#headersAt = performance.now();
    const { method, body } = this.#options;
    if (!this.#host.nextUpstream.allowsStatus(status, method) || !isRepeatable(body) || !this.#mayGoOn())
      return false;
    this.#end(NextUpstream.isFailure(status), `status ${status}`);
    this.#goOn();
    return true;
  }

  /** The connection speaks another protocol from now on; the attempt lasts as long as it does. */
  protected upgraded(socket: Duplex): void {
    this.#headersAt = performance.now();
    socket.once('close', () => this.completed());
  }

  /** The attempt ended well, as far as the server is concerned. */
  protected completed(): void {
    const { body } = this.#options as { body?: unknown };
    if (body instanceof KeptBody) body.last();
    this.#end(false, '');
  }

  /**
   * The attempt broke; true when the next server was asked. `begun`: sending had begun, so a body may be used up. `aborted`:
   * by the caller, whatever the error says.
   */
  protected broken(error: Error, begun: boolean, aborted: boolean): boolean {
    const { method, body } = this.#options;
    const isOthers = aborted || this.#headersAt > 0 || isBodyError(body, error);
    const condition = isOthers ? undefined : conditionOfError(error);
    this.#end(condition !== undefined, error.message);
    const sent = begun && !isRefusedStream(error);
    if (
      condition === undefined ||
      (begun && !isRepeatable(body)) ||
      !this.#host.nextUpstream.allowsError(condition, method, sent) ||
      !this.#mayGoOn()
    ) {
      if (body instanceof KeptBody) body.last();
      return false;
    }
    this.#goOn();
    return true;
  }

  #mayGoOn(): boolean {
    const { nextTimeoutMs, destroyed } = this.#host;
    if (destroyed || this.#triesLeft <= 0) return false;
    return nextTimeoutMs === 0 || performance.now() - this.#requestedAt < nextTimeoutMs;
  }

  #goOn(): void {
    this.again(this.#host, this.#options, this.#key).send();
  }

  #end(failed: boolean, reason: string): void {
    const peer = this.#peer;
    if (peer === undefined || this.#ended) return;
    this.#ended = true;
    const now = performance.now();
    // The newest balancer, also for a peer of a list that was replaced meanwhile: it alone keeps the counts.
    this.#host.balancer.done(peer, failed, now, (this.#headersAt || now) - this.#startedAt);
    if (!failed || !failureChannel.hasSubscribers) return;
    const message: AttemptFailureMessage = { upstream: this.#host.upstream, server: peer.server, reason };
    failureChannel.publish(message);
  }

  #noServer(): UpsyncError {
    const tried = this.#tried.map((peer) => peer.server.address).join(', ');
    return new UpsyncError(
      'NO_LIVE_SERVER',
      `${this.#options.method} ${this.#options.path}: upstream "${this.#host.upstream}" has no live server` +
        (tried === '' ? '' : ` left after ${tried}`),
    );
  }
}

/** Bodies in pieces are kept where the request may be repeated. */
function withKeptBody(
  options: Dispatcher.DispatchOptions,
  nextUpstream: NextUpstream,
): Dispatcher.DispatchOptions {
  // undici's types know nothing of what its fetch gives.
  const body: unknown = options.body;
  if (!isAsyncPieces(body) || !nextUpstream.mayRepeat(options.method, true)) return options;
  return { ...options, body: new KeptBody(body) as unknown as Dispatcher.DispatchOptions['body'] };
}
