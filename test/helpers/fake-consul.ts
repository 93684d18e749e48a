import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** One request the fake was asked. */
export interface SeenRequest {
  readonly url: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
}

/** Answers a request in place of the fake when it returns true. */
export type Fault = (request: SeenRequest, response: ServerResponse) => boolean;

/**
 * A Consul on loopback in as far as a watcher sees it: KV and service lists with an index and blocking queries, and whatever
 * fault a test wants. Real HTTP, real sockets.
 */
export class FakeConsul {
  readonly kv = new Map<string, string | null>();
  readonly documents = new Map<string, unknown>();
  readonly requests: SeenRequest[] = [];
  index = 10n;
  fault: Fault | undefined;
  readonly #server: HttpServer;
  readonly #sockets = new Set<Socket>();
  readonly #blocked = new Set<() => void>();
  connections = 0;
  readonly url: string;

  private constructor(server: HttpServer) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<FakeConsul> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const fake = new FakeConsul(server);
    server.on('request', (request, response) => {
      fake.#answer(request, response);
    });
    server.on('connection', (socket: Socket) => {
      fake.connections++;
      fake.#sockets.add(socket);
      socket.on('close', () => fake.#sockets.delete(socket));
    });
    return fake;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  /** Polls being held at the moment. */
  get blocked(): number {
    return this.#blocked.size;
  }

  /** Changes keys (undefined deletes) in one step of the index. */
  put(changes: Readonly<Record<string, object | string | null | undefined>>): void {
    for (const [key, value] of Object.entries(changes)) {
      if (value === undefined) this.kv.delete(key);
      else this.kv.set(key, value === null || typeof value === 'string' ? value : JSON.stringify(value));
    }
    this.bump();
  }

  /** Sets what a path such as `/v1/health/service/web` answers. */
  document(path: string, value: unknown): void {
    this.documents.set(path, value);
    this.bump();
  }

  /** Moves the index and answers the polls that are held. */
  bump(to: bigint = this.index + 1n): void {
    this.index = to;
    this.release();
  }

  /** Answers the polls that are held, with the index as it is. */
  release(): void {
    for (const wake of [...this.#blocked]) wake();
  }

  dropConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    this.release();
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, 'http://fake');
    const seen = { url: request.url!, path: url.pathname, query: url.searchParams, headers: request.headers };
    this.requests.push(seen);
    if (this.fault?.(seen, response)) return;
    const index = BigInt(url.searchParams.get('index') ?? '0');
    if (index === 0n || index !== this.index) {
      this.#send(seen, response);
      return;
    }
    const wait = /^(\d+)ms$/.exec(url.searchParams.get('wait') ?? '');
    const wake = (): void => {
      clearTimeout(timer);
      this.#blocked.delete(wake);
      this.#send(seen, response);
    };
    const timer = setTimeout(wake, wait ? Number(wait[1]) : 300_000);
    this.#blocked.add(wake);
    response.on('close', () => {
      clearTimeout(timer);
      this.#blocked.delete(wake);
    });
  }

  #send({ path }: SeenRequest, response: ServerResponse): void {
    response.setHeader('X-Consul-Index', this.index.toString());
    response.setHeader('Content-Type', 'application/json');
    if (!path.startsWith('/v1/kv/')) {
      response.end(JSON.stringify(this.documents.get(path) ?? []));
      return;
    }
    const prefix = decodeURIComponent(path.slice('/v1/kv/'.length));
    const keys = [...this.kv.keys()].filter((key) => key.startsWith(prefix)).sort();
    if (keys.length === 0) {
      response.statusCode = 404;
      response.end();
      return;
    }
    response.end(JSON.stringify(keys.map((key) => this.#entry(key))));
  }

  #entry(key: string): object {
    const value = this.kv.get(key) ?? null;
    const encoded = value === null ? null : Buffer.from(value).toString('base64');
    return { LockIndex: 0, Key: key, Flags: 0, Value: encoded, CreateIndex: 1, ModifyIndex: 1 };
  }
}
