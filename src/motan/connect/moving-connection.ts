import type { Socket } from 'node:net';
import type { Logger } from '../../upstream/logger.ts';
import type { Resolution, ResolvedServer, Resolver, Subscription } from '../resolution.ts';
import { candidates, chooseServer, type RecentFailures, type ResourceRole } from './choose.ts';
import { isReachable, PROBE_MS } from './connect.ts';
import type { ReaderHome } from './reader-home.ts';

/** A connection on which nothing came or went for this long has nothing under way. Milliseconds. */
const QUIET_MS = 20;

export interface MovingOptions {
  readonly resolver: Resolver;
  readonly name: string;
  readonly role: ResourceRole;
  /** How long a move waits for a moment without traffic. Milliseconds. */
  readonly graceMs: number;
  /** How long until a better server that could not be reached is tried again. Milliseconds. */
  readonly avoidMs: number;
  readonly random: () => number;
  readonly failures: RecentFailures;
  readonly logger: Logger;
  /** Where the client belongs when it is a reader; it outlives the connection. */
  readonly home: ReaderHome;
}

/** One stream to one server, ended when the ranking wants the client elsewhere. */
export class MovingConnection {
  readonly stream: Socket;
  readonly #server: ResolvedServer;
  readonly #options: MovingOptions;
  readonly #subscription: Subscription;
  #isConnected = false;
  #isEnding = false;
  #isConsidering = false;
  #resolution: Resolution | undefined;
  #recheck: NodeJS.Timeout | undefined;
  #lastReadAt = 0;
  #readBytes = 0;
  #writtenAtRead = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(server: ResolvedServer, stream: Socket, options: MovingOptions) {
    this.#server = server;
    this.stream = stream;
    this.#options = options;
    stream.once('connect', () => {
      this.#isConnected = true;
      options.failures.delete(server.address);
      if (this.#resolution !== undefined) void this.#consider();
    });
    stream.once('close', () => this.#closed());
    // ioredis listens once; what comes later must not end the process.
    stream.on('error', () => undefined);
    this.#subscription = options.resolver.subscribe(options.name, (resolution) => this.#hear(resolution));
  }

  end(boundMs: number): void {
    this.#isEnding = true;
    clearInterval(this.#timer);
    this.#timer = setTimeout(() => this.stream.destroy(), boundMs);
    this.stream.end();
  }

  #hear(resolution: Resolution): void {
    this.#resolution = resolution;
    void this.#consider();
  }

  readonly #hasFailed = (address: string): boolean => this.#options.failures.has(address, performance.now());

  // A better server is tried before the connection is given up for it: the registry may be the last to know that it is dead.
  async #consider(): Promise<void> {
    const { failures, avoidMs } = this.#options;
    const { address } = this.#server;
    if (this.#isConsidering || this.#isEnding || !this.#isConnected) return;
    this.#isConsidering = true;
    clearTimeout(this.#recheck);
    for (;;) {
      const target = this.#target();
      if (target === undefined || target.address === address || this.#hasFailed(target.address)) break;
      if (await isReachable(target, PROBE_MS)) return this.#move(target);
      failures.add(target.address, performance.now());
      if (this.#isEnding) return;
    }
    this.#isConsidering = false;
    if (this.#best?.address === address) return;
    this.#recheck = setTimeout(() => void this.#consider(), avoidMs);
    this.#recheck.unref();
  }

  #target(): ResolvedServer | undefined {
    const { role, random } = this.#options;
    const best = this.#best;
    if (role === 'reader' && best !== undefined && !this.#hasFailed(best.address)) return best;
    return chooseServer(this.#resolution!, role, this.#hasFailed, random, this.#server.address);
  }

  /** Where the client would be if every server could be reached. */
  get #best(): ResolvedServer | undefined {
    const { role, random, home } = this.#options;
    return role === 'reader' ? home.in(this.#resolution!) : candidates(this.#resolution!, role, random)[0];
  }

  #move(target: ResolvedServer): void {
    const { name, logger, graceMs } = this.#options;
    if (this.#isEnding) return;
    logger.info({ name, from: this.#server.address, to: target.address }, 'resource_moved');
    const end = performance.now() + graceMs;
    this.#timer = setInterval(() => {
      if (performance.now() < end && !this.#isQuiet()) return;
      clearInterval(this.#timer);
      this.#isEnding = true;
      this.stream.destroy();
    }, QUIET_MS);
  }

  // Quiet is: the last thing that happened was a reply, and that was a while ago.
  #isQuiet(): boolean {
    const { bytesRead, bytesWritten } = this.stream;
    const now = performance.now();
    if (bytesRead !== this.#readBytes) {
      this.#readBytes = bytesRead;
      this.#writtenAtRead = bytesWritten;
      this.#lastReadAt = now;
      return false;
    }
    return bytesWritten === this.#writtenAtRead && now - this.#lastReadAt >= QUIET_MS;
  }

  #closed(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#recheck);
    this.#subscription.unsubscribe();
    const hadConnected = this.#isConnected;
    const wasOurs = this.#isEnding;
    this.#isEnding = true;
    if (!hadConnected && !wasOurs) this.#options.failures.add(this.#server.address, performance.now());
  }
}
