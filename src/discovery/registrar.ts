import { errorText } from '../upstream/errors.ts';
import { type Logger, SILENT } from '../upstream/logger.ts';
import { type AgentService, type ConsulAgent, openConsulAgent } from './consul-agent.ts';
import { sleep } from './sleep.ts';
import type { RegistryTls } from './source.ts';

/** Beats per TTL: one may be lost and one be late before the instance counts as dead. */
const BEATS_PER_TTL = 3;
/** Least and most that one request to the agent may take: in between, the time from beat to beat. Milliseconds. */
const REQUEST_MS = { least: 1000, most: 10_000 } as const;

/** What timers can do. Milliseconds. */
const LONGEST_MS = 2_147_483_647;

/** How an instance presents itself; see {@link Registrar}. */
export interface RegistrarOptions {
  /** The local Consul agent. @default 'http://127.0.0.1:8500' */
  readonly agent?: string;
  readonly token?: string;
  /** File whose first line is the token. */
  readonly tokenFile?: string;
  readonly tls?: RegistryTls;
  /** Name of the service. */
  readonly name: string;
  /** Unique on the agent. @default `<name>-<address>-<port>` */
  readonly id?: string;
  /** Where the instance is reached; the agent's own address when absent. */
  readonly address?: string;
  readonly port: number;
  readonly tags?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
  /** 1..65535, told by the tag `weight=`. @default 1 */
  readonly weight?: number;
  /** Without a beat for this long the instance is critical. Milliseconds, at most a day. @default 15000 */
  readonly ttlMs?: number;
  /** Without a beat for this long Consul forgets the instance. At least a minute. Milliseconds. @default 600000 */
  readonly deregisterAfterMs?: number;
  /** How long `close()` waits between saying `drain` and leaving. Milliseconds. @default 0 */
  readonly drainMs?: number;
  readonly logger?: Logger;
}

/**
 * Keeps one instance of a service registered in Consul: registers it with a TTL check, beats at a third of the TTL, registers it
 * again when the agent has lost its state, and takes it out on `close()` after draining. Weight and drain are told by the tags
 * `weight=N` and `drain`, which `consul_services` and `consul_health` sources read.
 *
 * ```ts
 * const registrar = new Registrar({ name: 'web', port: 8080, drainMs: 5000 });
 * await registrar.register();
 * process.once('SIGTERM', () => void registrar.close());
 * ```
 */
export class Registrar {
  readonly id: string;
  readonly #options: RegistrarOptions;
  readonly #logger: Logger;
  readonly #ended = new AbortController();
  #agent: Promise<ConsulAgent> | undefined;
  #weight: number;
  #isDraining = false;
  #maintenance: string | undefined;
  /** False while a registration may lack its second half: an instance in maintenance must not come back in service. */
  #isComplete = false;
  #timer: NodeJS.Timeout | undefined;
  /** Requests go one after the other, so that a late beat cannot register again what was just taken out. */
  #queue: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** @throws {RangeError} when `port`, `weight` or a time is out of its range. */
  constructor(options: RegistrarOptions) {
    const { name, address, port, ttlMs, drainMs, deregisterAfterMs } = options;
    checkRange('a port', port, 1, 65_535);
    checkRange('ttlMs', ttlMs, 1, 86_400_000);
    checkRange('drainMs', drainMs, 0, LONGEST_MS);
    checkRange('deregisterAfterMs', deregisterAfterMs, 60_000, LONGEST_MS);
    this.#options = options;
    this.#logger = options.logger ?? SILENT;
    this.#weight = checkedWeight(options.weight ?? 1);
    this.id = options.id ?? [name, address, port].filter((part) => part !== undefined).join('-');
  }

  /**
   * Registers the instance and starts to beat.
   * @throws {UpsyncError} REGISTRAR_FAILED when the agent cannot be reached or refuses; call again later.
   */
  async register(): Promise<void> {
    await this.#enqueue(() => this.#register());
    this.#schedule(this.#beatMs);
  }

  /**
   * Tells another weight, in force at once; registers the instance when it is not registered yet.
   * @throws {RangeError} unless 1..65535. @throws {UpsyncError} REGISTRAR_FAILED; the weight is then told at the next registration.
   */
  async setWeight(weight: number): Promise<void> {
    this.#weight = checkedWeight(weight);
    await this.register();
  }

  /**
   * Says that the instance finishes what it has and takes nothing new, or takes that back.
   * @throws {UpsyncError} REGISTRAR_FAILED.
   */
  async drain(on = true): Promise<void> {
    this.#isDraining = on;
    await this.register();
  }

  /**
   * Begins or ends Consul's maintenance mode, which makes the instance critical for everybody.
   * @throws {UpsyncError} REGISTRAR_FAILED.
   */
  async maintenance(on: boolean, reason = ''): Promise<void> {
    this.#maintenance = on ? reason : undefined;
    await this.#enqueue(async (agent) => {
      await agent.maintenance(this.id, on, reason === '' ? undefined : reason);
    });
  }

  /**
   * Leaves: says `drain`, waits `drainMs`, and takes the instance out. Later calls wait for the first. Never rejects; when the
   * agent cannot be reached Consul forgets the instance by itself after `deregisterAfterMs`.
   * @param signal cuts the draining short.
   */
  close(signal?: AbortSignal): Promise<void> {
    this.#closing ??= this.#close(signal);
    return this.#closing;
  }

  async #close(signal: AbortSignal | undefined): Promise<void> {
    const { drainMs = 0 } = this.#options;
    if (this.#agent === undefined) return;
    if (drainMs > 0) {
      await this.drain().catch((error: unknown) => {
        this.#warn('drain_failed', error);
      });
      await sleep(drainMs, signal);
    }
    clearTimeout(this.#timer);
    this.#ended.abort();
    const left = this.#queue.then(async () => (await this.#agent!).deregister(this.id));
    await left.catch((error: unknown) => {
      this.#warn('deregister_failed', error);
    });
    await this.#agent.then(
      (agent) => {
        agent.close();
      },
      () => undefined,
    );
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#ended.signal.aborted) return;
    this.#timer = setTimeout(() => {
      void this.#beat();
    }, ms);
    // Beating is no reason for a process to go on living.
    this.#timer.unref();
  }

  async #beat(): Promise<void> {
    const startedAt = performance.now();
    try {
      await this.#enqueue(async (agent) => {
        const isKnown = await agent.pass(this.id);
        if (isKnown && this.#isComplete) return;
        if (!isKnown) this.#logger.warn({ service: this.id }, 'registration_lost');
        await this.#register();
      });
    } catch (error) {
      this.#warn('beat_failed', error);
    }
    // Counted from the start: a beat that hung must not delay the one after it.
    this.#schedule(Math.max(0, startedAt + this.#beatMs - performance.now()));
  }

  async #register(): Promise<void> {
    const { name, address, port, tags = [], meta, deregisterAfterMs = 600_000 } = this.#options;
    const own = [`weight=${this.#weight}`, ...(this.#isDraining ? ['drain'] : [])];
    const service: AgentService = {
      ...{ id: this.id, name, port, ttlMs: this.#ttlMs, deregisterAfterMs },
      tags: [...tags.filter((tag) => !tag.startsWith('weight=')), ...own],
      ...(address === undefined ? {} : { address }),
      ...(meta === undefined ? {} : { meta }),
    };
    const agent = await this.#open();
    this.#isComplete = false;
    await agent.register(service);
    if (this.#maintenance !== undefined)
      await agent.maintenance(this.id, true, this.#maintenance === '' ? undefined : this.#maintenance);
    this.#isComplete = true;
    this.#logger.info(
      { service: this.id, weight: this.#weight, drain: this.#isDraining },
      'service_registered',
    );
  }

  async #enqueue(task: (agent: ConsulAgent) => Promise<void>): Promise<void> {
    const turn = this.#queue.then(async () => {
      const agent = await this.#open();
      if (!this.#ended.signal.aborted) await task(agent);
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  #open(): Promise<ConsulAgent> {
    const { agent = 'http://127.0.0.1:8500', token, tokenFile, tls } = this.#options;
    const timeoutMs = Math.min(Math.max(this.#beatMs, REQUEST_MS.least), REQUEST_MS.most);
    this.#agent ??= openConsulAgent(agent, { token, tokenFile, tls }, timeoutMs).catch((error: unknown) => {
      this.#agent = undefined;
      throw error;
    });
    return this.#agent;
  }

  get #ttlMs(): number {
    return this.#options.ttlMs ?? 15_000;
  }

  get #beatMs(): number {
    return this.#ttlMs / BEATS_PER_TTL;
  }

  #warn(event: string, error: unknown): void {
    this.#logger.warn({ service: this.id, error: errorText(error) }, event);
  }
}

function checkedWeight(weight: number): number {
  checkRange('a weight', weight, 1, 65_535);
  return weight;
}

/** Nothing is checked that was not given. */
function checkRange(what: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw new RangeError(`Expected ${what} from ${least} to ${most}, got ${value}`);
}
