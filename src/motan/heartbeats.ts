import { type RegistryHttp, requireOk } from '../discovery/http.ts';
import { sleep } from '../discovery/sleep.ts';
import { toSourceError } from '../discovery/source-error.ts';
import { Backoff } from '../upstream/backoff.ts';
import { UpsyncError } from '../upstream/errors.ts';
import { type Logger, SILENT } from '../upstream/logger.ts';
import { checkIdOf, MOTAN_TTL_SECONDS, registrationBody, serviceIdOf } from './service.ts';
import { type MotanUrl, motanParameter } from './url.ts';

export interface MotanProvidersOptions {
  /** The local Consul agent; `consulSources(…).http()` gives one. */
  readonly http: RegistryHttp;
  /** Time after which a provider without heartbeat is critical. Seconds. @default 30, Motan's own */
  readonly ttlSeconds?: number;
  /** Time between two heartbeats. Milliseconds. @default a third of the time to live (Motan: two thirds) */
  readonly beatMs?: number;
  /** Whether providers take traffic from the start. Motan's providers wait to be opened. @default false */
  readonly isOpen?: boolean;
  /** @default SILENT */
  readonly logger?: Logger;
}

/** How one provider stands. */
export interface ProviderStatus {
  readonly url: MotanUrl;
  /** Consul service id. */
  readonly id: string;
  readonly isRegistered: boolean;
  /** The last failure, until something succeeds again. */
  readonly error: string | undefined;
}

/**
 * Registers Motan providers in Consul and keeps them alive.
 *
 * A provider is critical until the gate opens (so that it can warm up), then passes at once and with every beat. When the agent
 * has forgotten it (a pass is answered 404 or 500), it is registered again. Closing the gate sends one fail and then nothing.
 */
export interface MotanProviders {
  /**
   * Registers a provider and resolves when the registry has it; goes on trying through failures of the registry.
   * @throws {UpsyncError} REGISTER_REFUSED when the registry refuses it for good (400, 401, 403), REGISTER_ENDED when it was
   * unregistered or closed meanwhile, BAD_MOTAN_URL.
   */
  register(url: MotanUrl): Promise<void>;
  /** Stops its heartbeats and takes it out of the registry. Rejects when the registry cannot be told. */
  unregister(url: MotanUrl): Promise<void>;
  /** Opens or closes the gate for all. Resolves when the registry knows, or could not be told. */
  setOpen(isOpen: boolean): Promise<void>;
  readonly isOpen: boolean;
  status(): readonly ProviderStatus[];
  /** Unregisters all, as well as the registry lets it. */
  close(): Promise<void>;
}

const DEADLINE_MS = 5000;
const RETRY_CAP_MS = 5000;
const BEATS_PER_TTL = 3;

/** Opens the provider's side of a Motan registry. */
export function createMotanProviders(options: MotanProvidersOptions): MotanProviders {
  return new Providers(options);
}

class Providers implements MotanProviders {
  readonly #options: MotanProvidersOptions;
  readonly #providers = new Map<string, Provider>();
  #isOpen: boolean;

  constructor(options: MotanProvidersOptions) {
    this.#options = options;
    this.#isOpen = options.isOpen ?? false;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  async register(url: MotanUrl): Promise<void> {
    // What cannot be registered at all is no failure of the registry, which would be tried again.
    registrationBody(url);
    const key = keyOf(url);
    const known = this.#providers.get(key);
    if (known !== undefined) return known.registered;
    const provider = new Provider(url, this.#freeId(url), this.#options, () => this.#isOpen);
    this.#providers.set(key, provider);
    try {
      await provider.registered;
    } catch (error) {
      if (this.#providers.get(key) === provider) this.#providers.delete(key);
      throw error;
    }
  }

  async unregister(url: MotanUrl): Promise<void> {
    const provider = this.#providers.get(keyOf(url));
    this.#providers.delete(keyOf(url));
    await provider?.end();
  }

  async setOpen(isOpen: boolean): Promise<void> {
    if (this.#isOpen === isOpen) return;
    this.#isOpen = isOpen;
    await Promise.all([...this.#providers.values()].map((provider) => provider.gateChanged()));
  }

  status(): readonly ProviderStatus[] {
    return [...this.#providers.values()].map((provider) => provider.status);
  }

  async close(): Promise<void> {
    const providers = [...this.#providers.values()];
    this.#providers.clear();
    const { logger = SILENT } = this.#options;
    const ended = await Promise.allSettled(providers.map((provider) => provider.end()));
    for (const [at, one] of ended.entries())
      if (one.status === 'rejected')
        logger.warn({ id: providers[at]!.status.id, reason: String(one.reason) }, 'deregister_failed');
  }

  // Motan's id has no group: where it is taken by another group, this one gets an id of its own. Consumers read the URL tag.
  #freeId(url: MotanUrl): string {
    const id = serviceIdOf(url);
    const isTaken = [...this.#providers.values()].some((provider) => provider.status.id === id);
    return isTaken ? `${id}@${url.protocol}-${motanParameter(url, 'group')}` : id;
  }
}

class Provider {
  /** Settles with the first registration. */
  readonly registered: Promise<void>;
  readonly #url: MotanUrl;
  readonly #id: string;
  readonly #options: MotanProvidersOptions;
  readonly #isOpen: () => boolean;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #wake = new AbortController();
  #beating: Promise<void> | undefined;
  #isRegistered = false;
  #wasRegistered = false;
  #error: string | undefined;
  #settle!: { resolve: () => void; reject: (error: unknown) => void };

  constructor(url: MotanUrl, id: string, options: MotanProvidersOptions, isOpen: () => boolean) {
    this.#url = url;
    this.#id = id;
    this.#options = options;
    this.#isOpen = isOpen;
    this.registered = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // Whoever waits for it hears of a failure; without anybody waiting it is in the status and in the log.
    this.registered.catch(() => undefined);
    this.#running = this.#run();
  }

  get status(): ProviderStatus {
    return { url: this.#url, id: this.#id, isRegistered: this.#isRegistered, error: this.#error };
  }

  /** The gate opened or closed: tells the registry without waiting for the next beat. */
  async gateChanged(): Promise<void> {
    // A pass under way must not arrive after the fail.
    await this.#beating?.catch(() => undefined);
    if (!this.#isRegistered || this.#ended.signal.aborted) return this.#wakeUp();
    const verdict = this.#isOpen() ? 'pass' : 'fail';
    try {
      const status = await this.#put(
        `/v1/agent/check/${verdict}/${this.#checkPath()}`,
        undefined,
        [404, 500],
      );
      if (status !== 200) this.#wakeUp();
    } catch (error) {
      this.#failed(error);
    }
  }

  async end(): Promise<void> {
    this.#ended.abort();
    this.#wakeUp();
    this.#settle.reject(
      new UpsyncError('REGISTER_ENDED', `${this.#id} was taken back before it was registered`),
    );
    await this.#running;
    // Also when nothing was confirmed: the registry may have taken a request whose answer was lost.
    const status = await this.#put(
      `/v1/agent/service/deregister/${encodeURIComponent(this.#id)}`,
      undefined,
      [404],
    );
    this.#options.logger?.info({ id: this.#id, status }, 'provider_deregistered');
  }

  async #run(): Promise<void> {
    const { ttlSeconds = MOTAN_TTL_SECONDS } = this.#options;
    const beatMs = this.#options.beatMs ?? (ttlSeconds * 1000) / BEATS_PER_TTL;
    const backoff = new Backoff({ capMs: Math.min(RETRY_CAP_MS, beatMs) });
    while (!this.#ended.signal.aborted) {
      let waitMs = beatMs;
      this.#wake = new AbortController();
      try {
        this.#beating = this.#beat(ttlSeconds);
        await this.#beating;
        backoff.reset();
        this.#error = undefined;
        this.#settle.resolve();
      } catch (error) {
        this.#failed(error);
        waitMs = backoff.next();
        // Refused for good only where it never was let in; afterwards a policy may come back as it went.
        if (error instanceof UpsyncError && error.code === 'REGISTER_REFUSED' && !this.#wasRegistered) {
          this.#ended.abort();
          this.#settle.reject(error);
        }
      }
      if (!this.#ended.signal.aborted) await sleep(waitMs, this.#wake.signal);
    }
  }

  async #beat(ttlSeconds: number): Promise<void> {
    if (!this.#isRegistered) await this.#register(ttlSeconds);
    if (!this.#isOpen() || this.#ended.signal.aborted) return;
    const status = await this.#put(`/v1/agent/check/pass/${this.#checkPath()}`, undefined, [404, 500]);
    if (status === 200) return;
    this.#isRegistered = false;
    this.#options.logger?.warn({ id: this.#id, status }, 'provider_forgotten');
    await this.#register(ttlSeconds);
    await this.#put(`/v1/agent/check/pass/${this.#checkPath()}`);
  }

  async #register(ttlSeconds: number): Promise<void> {
    const body = JSON.stringify({ ...registrationBody(this.#url, ttlSeconds), ID: this.#id });
    const status = await this.#put('/v1/agent/service/register', body, [400, 401, 403]);
    if (status !== 200)
      throw new UpsyncError('REGISTER_REFUSED', `the registry refused provider ${this.#id} with ${status}`);
    this.#isRegistered = this.#wasRegistered = true;
    this.#options.logger?.info({ id: this.#id }, 'provider_registered');
  }

  async #put(path: string, body = '', alsoOk: readonly number[] = []): Promise<number> {
    // Deregistering must go out although the provider has ended; every request is bounded.
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const reply = await this.#options.http.request({
      method: 'PUT',
      path,
      body,
      deadlineMs: DEADLINE_MS,
      signal,
    });
    if (!alsoOk.includes(reply.status)) requireOk(reply);
    return reply.status;
  }

  #checkPath(): string {
    return encodeURIComponent(checkIdOf(this.#id));
  }

  #wakeUp(): void {
    this.#wake.abort();
  }

  #failed(error: unknown): void {
    const known = error instanceof UpsyncError ? error : toSourceError(error, this.#id);
    this.#error = known.message;
    this.#options.logger?.warn({ id: this.#id, code: known.code, reason: known.message }, 'heartbeat_failed');
  }
}

function keyOf(url: MotanUrl): string {
  return JSON.stringify([motanParameter(url, 'group'), url.protocol, url.path, url.host, url.port]);
}
