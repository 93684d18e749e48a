import { lookup } from 'node:dns';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { LookupFunction } from 'node:net';
import type Consul from 'consul';
import { errorText, UpsyncError } from '../upstream/errors.ts';
import { type Credentials, loadTls, readToken } from './credentials.ts';

/** One instance of a service as it is registered. */
export interface AgentService {
  readonly id: string;
  readonly name: string;
  readonly address?: string;
  readonly port: number;
  readonly tags: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
  readonly ttlMs: number;
  readonly deregisterAfterMs: number;
}

/** What the registrar asks of a Consul agent; every call throws `UpsyncError` REGISTRAR_FAILED, without secrets, on failure. */
export interface ConsulAgent {
  register(service: AgentService): Promise<void>;
  deregister(id: string): Promise<void>;
  /** Resolves with false when the agent does not know the check: it has lost its state. */
  pass(id: string): Promise<boolean>;
  maintenance(id: string, enable: boolean, reason?: string): Promise<void>;
  close(): void;
}

/**
 * Talks to a Consul agent through the `consul` package, which is loaded only then.
 * @param address base URL, `http://127.0.0.1:8500`.
 * @param timeoutMs bound of each request, milliseconds.
 * @throws {UpsyncError} SOURCE_BAD_OPTIONS for a bad address, SOURCE_CREDENTIALS when a TLS file cannot be read.
 */
export async function openConsulAgent(
  address: string,
  credentials: Credentials,
  timeoutMs: number,
): Promise<ConsulAgent> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new UpsyncError(
      'SOURCE_BAD_OPTIONS',
      'a registry address must be a URL such as http://127.0.0.1:8500',
    );
  const { default: Client } = await import('consul');
  const secure = url.protocol === 'https:';
  const port = Number(url.port || (secure ? 443 : 80));
  const agent = secure
    ? new HttpsAgent({ ...(await loadTls(credentials.tls)), keepAlive: true, lookup: lookupPlain })
    : new HttpAgent({ keepAlive: true, lookup: lookupPlain });
  // The package's types leave out `timeout`, which its HTTP client takes.
  const options = { host: url.hostname, port, secure, timeout: timeoutMs, agent };
  return new PackageAgent(new Client(options), url.origin, credentials);
}

/** The package leaves an IPv6 address in the brackets it has in a URL. */
const lookupPlain: LookupFunction = (host, options, callback) => {
  lookup(host.replace(/^\[(.*)\]$/, '$1'), options, callback);
};

class PackageAgent implements ConsulAgent {
  readonly #client: Consul;
  readonly #origin: string;
  readonly #credentials: Credentials;

  constructor(client: Consul, origin: string, credentials: Credentials) {
    this.#client = client;
    this.#origin = origin;
    this.#credentials = credentials;
  }

  async register(service: AgentService): Promise<void> {
    const { id, name, address, port, tags, meta, ttlMs, deregisterAfterMs } = service;
    const check = {
      ttl: `${ttlMs}ms`,
      // Whoever registers is alive.
      status: 'passing',
      deregistercriticalserviceafter: `${deregisterAfterMs}ms`,
      // Demanded by the package's types, unused for a TTL check.
      name: `${name} beats`,
      timeout: '',
    };
    const optional = {
      ...(address === undefined ? {} : { address }),
      ...(meta === undefined ? {} : { meta }),
    };
    await this.#call(`register ${id}`, async (token) => {
      await this.#client.agent.service.register({
        id,
        name,
        port,
        tags: [...tags],
        check,
        ...optional,
        ...token,
      });
    });
  }

  async deregister(id: string): Promise<void> {
    await this.#call(`deregister ${id}`, async (token) => {
      await this.#client.agent.service.deregister({ id, ...token });
    });
  }

  async pass(id: string): Promise<boolean> {
    try {
      await this.#call(`beat for ${id}`, async (token) => {
        await this.#client.agent.check.pass({ id: `service:${id}`, ...token });
      });
      return true;
    } catch (error) {
      // Consul says 404 for a check it does not know; before 1.11 it said 500.
      if (error instanceof AgentError && (error.status === 404 || error.status === 500)) return false;
      throw error;
    }
  }

  async maintenance(id: string, enable: boolean, reason?: string): Promise<void> {
    await this.#call(`${enable ? 'begin' : 'end'} maintenance of ${id}`, async (token) => {
      const more = reason === undefined ? {} : { reason };
      await this.#client.agent.service.maintenance({ id, enable, ...more, ...token });
    });
  }

  close(): void {
    this.#client.destroy();
  }

  async #call(what: string, send: (token: { token?: string }) => Promise<void>): Promise<void> {
    const token = await readToken(this.#credentials);
    try {
      await send(token === undefined ? {} : { token });
    } catch (error) {
      const said = errorText(error).slice(0, 200);
      // The package's error holds the request with its headers, so it is not passed on as the cause.
      throw new AgentError(
        `could not ${what} at ${this.#origin}: ${token === undefined ? said : said.replaceAll(token, '***')}`,
        (error as { statusCode?: number }).statusCode,
      );
    }
  }
}

/** Thrown for a request the agent refused or did not answer. */
class AgentError extends UpsyncError {
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined) {
    super('REGISTRAR_FAILED', message);
    this.status = status;
  }
}
