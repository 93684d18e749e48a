import type { Dispatcher } from 'undici';
import { errorText } from '../upstream/errors.ts';
import { type Credentials, readToken } from './credentials.ts';
import { startDeadline } from './deadline.ts';
import { RegistryAgent } from './registry-agent.ts';
import { SourceError } from './source-error.ts';

/** Largest reply that is read, in bytes: far above any list, far below what would hurt. */
export const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/** One question to a registry. */
export interface RegistryRequest {
  readonly method?: 'GET' | 'POST' | 'PUT';
  /** Path and query, `/v1/kv/upstreams/?recurse`. */
  readonly path: string;
  readonly body?: string;
  /** Bound of the whole exchange, in milliseconds. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** Gives memory to begin a reply in; new memory is taken where there is none, or too little. */
  readonly memory?: () => Buffer | undefined;
}

/** A registry's answer, whatever its status. */
export interface RegistryReply {
  readonly status: number;
  /** Value of a header, its name in lower case. */
  header(name: string): string | undefined;
  /** What came, as bytes. Those of a 200 are alone in their memory, so that whoever reads them may use it again. */
  readonly body: Buffer;
  /** The same as text, decoded each time it is asked for: a large reply is not kept twice. */
  readonly text: string;
  /** `http://127.0.0.1:8500/v1/kv/upstreams/`, for messages. */
  readonly url: string;
}

/** What {@link RegistryHttp} needs. */
export interface RegistryHttpOptions {
  /** Base URLs, tried in order. */
  readonly addresses: readonly string[];
  readonly credentials: Credentials;
  /** Header that carries the token, in lower case. */
  readonly tokenHeader: 'x-consul-token' | 'authorization';
  readonly agent?: RegistryAgent;
  /** @default MAX_REPLY_BYTES */
  readonly maxBytes?: number;
}

/**
 * Asks a registry by HTTP. With several addresses it stays with the one that answered last and goes on to the next when that
 * one fails. Redirects are not followed, replies are bounded, tokens appear in no message.
 */
export class RegistryHttp {
  readonly #bases: readonly URL[];
  readonly #options: RegistryHttpOptions;
  readonly #agent: RegistryAgent;
  #current = 0;

  /** @throws {SourceError} SOURCE_BAD_OPTIONS when there is no address or one is not an http(s) URL. */
  constructor(options: RegistryHttpOptions) {
    this.#options = options;
    this.#agent = options.agent ?? new RegistryAgent(options.credentials.tls);
    this.#bases = options.addresses.map(parseBase);
    if (this.#bases.length === 0)
      throw new SourceError('SOURCE_BAD_OPTIONS', 'a registry needs at least one address');
  }

  /** The registry for logs: the first address, without credentials, and how many more there are. */
  get description(): string {
    const more = this.#bases.length > 1 ? ` (and ${this.#bases.length - 1} more)` : '';
    return baseText(this.#bases[0]!) + more;
  }

  /**
   * Resolves with the first answer that is neither a failure nor 429 or 5xx, or else with the last address's answer.
   * @throws {SourceError} SOURCE_UNREACHABLE, SOURCE_TIMEOUT, SOURCE_TOO_LARGE or SOURCE_CREDENTIALS.
   */
  async request(request: RegistryRequest): Promise<RegistryReply> {
    return this.#eachAddress(request.signal, async (base) => {
      const deadline = startDeadline(request.deadlineMs, request.signal);
      const url = baseText(base) + request.path.split('?')[0]!;
      try {
        const token = await readToken(this.#options.credentials);
        const response = await this.#send(base, request, token, deadline.signal);
        const reply = await this.#readReply(response, url, token, request.memory?.());
        return { reply, usable: reply.status < 500 && reply.status !== 429 };
      } catch (error) {
        throw this.#failure(error, url, deadline.expired() ? request.deadlineMs : undefined);
      } finally {
        deadline.clear();
      }
    });
  }

  /**
   * Opens a reply that goes on and on, and hands out its lines. The deadline bounds the whole stream: when it passes the
   * lines end.
   * @throws {SourceError} as `request`, and SOURCE_STATUS, SOURCE_DENIED or SOURCE_BUSY unless the status is 200.
   */
  async *lines(request: RegistryRequest): AsyncGenerator<string> {
    const deadline = startDeadline(request.deadlineMs, request.signal);
    const base = this.#bases[this.#current]!;
    const url = baseText(base) + request.path;
    try {
      const token = await readToken(this.#options.credentials);
      const response = await this.#send(base, request, token, deadline.signal);
      if (response.statusCode !== 200) requireOk(await this.#readReply(response, url, token));
      let rest = '';
      response.body.setEncoding('utf8');
      for await (const chunk of response.body as AsyncIterable<string>) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        if (rest.length > (this.#options.maxBytes ?? MAX_REPLY_BYTES)) throw tooLarge(url);
        yield* lines;
      }
    } catch (error) {
      if (deadline.expired()) return;
      this.#rotate(base);
      throw this.#failure(error, url, undefined);
    } finally {
      deadline.clear();
    }
  }

  async #eachAddress(
    signal: AbortSignal,
    ask: (base: URL) => Promise<{ reply: RegistryReply; usable: boolean }>,
  ): Promise<RegistryReply> {
    const first = this.#current;
    for (let turn = 0; ; turn++) {
      const base = this.#bases[(first + turn) % this.#bases.length]!;
      const last = turn === this.#bases.length - 1;
      try {
        const { reply, usable } = await ask(base);
        if (usable || last) {
          this.#current = usable ? this.#bases.indexOf(base) : (first + 1) % this.#bases.length;
          return reply;
        }
      } catch (error) {
        // After a deadline the caller is due an answer; the next address is then where its next request begins.
        const timedOut = error instanceof SourceError && error.code === 'SOURCE_TIMEOUT';
        if (timedOut || last) this.#rotate(base);
        if (timedOut || last || signal.aborted) throw error;
      }
    }
  }

  #rotate(failed: URL): void {
    this.#current = (this.#bases.indexOf(failed) + 1) % this.#bases.length;
  }

  async #send(
    base: URL,
    request: RegistryRequest,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (request.body !== undefined) headers['content-type'] = 'application/json';
    if (base.username !== '' || base.password !== '') {
      const pair = `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}`;
      headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
    }
    if (token !== undefined) headers[this.#options.tokenHeader] = token;
    const agent = await this.#agent.agent();
    return agent.request({
      origin: base.origin,
      path: base.pathname.replace(/\/$/, '') + request.path,
      method: request.method ?? 'GET',
      headers,
      body: request.body ?? null,
      signal,
    });
  }

  async #readReply(
    { statusCode: status, headers, body: stream }: Dispatcher.ResponseData,
    url: string,
    token: string | undefined,
    memory?: Buffer,
  ): Promise<RegistryReply> {
    const bytes = await this.#readBody(stream, url, memory);
    const body = status === 200 ? bytes : withoutToken(bytes, token);
    return {
      status,
      header: (name) => firstValue(headers[name]),
      body,
      get text() {
        return body.toString('utf8');
      },
      url,
    };
  }

  // Copied as it comes: pieces that wait for the last one live long enough to become a matter of the slow collector.
  async #readBody(
    stream: Dispatcher.ResponseData['body'],
    url: string,
    memory: Buffer | undefined,
  ): Promise<Buffer> {
    const limit = this.#options.maxBytes ?? MAX_REPLY_BYTES;
    let body = memory ?? Buffer.alloc(0);
    let bytes = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const needed = bytes + chunk.length;
      // Leaving the loop destroys the body, and with it the connection.
      if (needed > limit) throw tooLarge(url);
      if (needed > body.length) {
        // Not from Node's pool: who keeps a small reply must not keep a large pool.
        const larger = Buffer.allocUnsafeSlow(bytes === 0 ? needed : Math.max(needed, 2 * body.length));
        body.copy(larger, 0, 0, bytes);
        body = larger;
      }
      bytes += chunk.copy(body, bytes);
    }
    // The connection is free for the next request only after this turn of the event loop; asking before opens a second one.
    await new Promise(setImmediate);
    return body.subarray(0, bytes);
  }

  #failure(error: unknown, url: string, deadlineMs: number | undefined): SourceError {
    if (error instanceof SourceError) return error;
    this.#agent.renew();
    if (deadlineMs !== undefined)
      return new SourceError('SOURCE_TIMEOUT', `${url} gave no complete answer in ${deadlineMs} ms`, {
        cause: error,
      });
    return new SourceError('SOURCE_UNREACHABLE', `${url} could not be asked: ${errorText(error)}`, {
      cause: error,
    });
  }
}

/**
 * Lets a 200 pass.
 * @throws {SourceError} SOURCE_DENIED for 401 and 403, SOURCE_BUSY for 429 and 503, SOURCE_STATUS for the rest.
 */
export function requireOk(reply: RegistryReply): RegistryReply {
  const { status, url } = reply;
  if (status === 200) return reply;
  const said = reply.text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 120);
  const message = `${url} answered ${status}${said === '' ? '' : `: ${said}`}`;
  if (status === 401 || status === 403)
    throw new SourceError('SOURCE_DENIED', `${message}; check the token and its policy`, { status });
  throw new SourceError(status === 429 || status === 503 ? 'SOURCE_BUSY' : 'SOURCE_STATUS', message, {
    status,
  });
}

function parseBase(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  // The address may hold a password, so it is not repeated.
  throw new SourceError(
    'SOURCE_BAD_OPTIONS',
    'a registry address must be a URL such as http://127.0.0.1:8500',
  );
}

function baseText(base: URL): string {
  return base.origin + base.pathname.replace(/\/$/, '');
}

function firstValue(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** What a registry says of a failure goes to logs; a token it may repeat must not. */
function withoutToken(body: Buffer, token: string | undefined): Buffer {
  return token === undefined ? body : Buffer.from(body.toString('utf8').replaceAll(token, '***'));
}

function tooLarge(url: string): SourceError {
  return new SourceError('SOURCE_TOO_LARGE', `${url} sent more than a list can need; the reply is dropped`);
}
