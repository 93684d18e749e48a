import { Agent } from 'undici';
import { loadTls } from './credentials.ts';
import type { RegistryTls } from './source.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/**
 * Quiet time after which the kernel probes a connection. Node's probes then come every second and give up after ten, so a
 * peer that vanished during a long poll is noticed in under half a minute instead of at the poll's deadline.
 */
const KEEPALIVE_DELAY_MS = 15_000;

/**
 * The connections to one registry: kept alive, shared by all sources that use it. Nothing needs closing: idle connections
 * do not keep the process alive and are closed after four seconds.
 */
export class RegistryAgent {
  readonly #tls: RegistryTls | undefined;
  #agent: Promise<Agent> | undefined;

  constructor(tls?: RegistryTls) {
    this.#tls = tls;
  }

  /** @throws {SourceError} SOURCE_CREDENTIALS when a TLS file cannot be read. */
  async agent(): Promise<Agent> {
    this.#agent ??= this.#open();
    return this.#agent;
  }

  /** To be called when a request failed: TLS files are then read again, since they may have been renewed. */
  renew(): void {
    if (this.#tls === undefined || this.#agent === undefined) return;
    const old = this.#agent;
    this.#agent = undefined;
    // Polls under way on the old agent end on their own; closing waits for them and concerns nobody.
    void old.then((agent) => agent.close()).catch(() => undefined);
  }

  async #open(): Promise<Agent> {
    try {
      const tls = await loadTls(this.#tls);
      // No time limits of undici's: its default of 300 s is shorter than a poll, and each request brings its own deadline.
      return new Agent({
        headersTimeout: 0,
        bodyTimeout: 0,
        connections: null,
        connect: {
          ...tls,
          timeout: CONNECT_TIMEOUT_MS,
          keepAlive: true,
          keepAliveInitialDelay: KEEPALIVE_DELAY_MS,
        },
      });
    } catch (error) {
      this.#agent = undefined;
      throw error;
    }
  }
}
