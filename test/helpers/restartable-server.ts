import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createSecureServer, type Http2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';
import { freePort } from './ports.ts';
import { createAuthority } from './test-certificates.ts';

/** A server of one protocol that a test starts and ends over and over, always at the same address once it has one. */
export interface RestartableServer {
  readonly address: string;
  /** Answers so far, over all of its lives. */
  readonly answers: number;
  start(): Promise<void>;
  /** As a deployment ends it: nothing new, what is under way finishes, then the connections go. */
  shutDown(): Promise<void>;
  /** As a power cut ends it. */
  kill(): Promise<void>;
}

interface Life {
  /** Asks the clients to go, once what is under way is done. */
  leave(): void;
  /** Resolves when all connections are gone. */
  close(): Promise<void>;
  cut(): void;
}

/** Answers take a moment, so that some are always under way. */
const ANSWER_MS = 2;

abstract class Restartable implements RestartableServer {
  answers = 0;
  #port = 0;
  #life: Life | undefined;

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    if (this.#port === 0) this.#port = await freePort();
    this.#life = await this.begin(this.#port);
  }

  async shutDown(): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    life?.leave();
    await life?.close();
  }

  async kill(): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    life?.cut();
    await life?.close();
  }

  protected abstract begin(port: number): Promise<Life>;
}

class Http1Server extends Restartable {
  protected override async begin(port: number): Promise<Life> {
    const server = createHttpServer((request, response) => {
      request.resume();
      setTimeout(() => {
        this.answers += 1;
        // Node closes a connection that is idle when the server closes, and this one after its answer.
        if (!server.listening) response.setHeader('connection', 'close');
        response.end('served');
      }, ANSWER_MS);
    });
    return {
      close: await listen(server, port),
      leave: () => server.close(),
      cut: () => {
        server.close();
        server.closeAllConnections();
      },
    };
  }
}

class Http2Server extends Restartable {
  readonly #cert: string;
  readonly #key: string;

  constructor(cert: string, key: string) {
    super();
    this.#cert = cert;
    this.#key = key;
  }

  protected override async begin(port: number): Promise<Life> {
    const server = createSecureServer({ cert: this.#cert, key: this.#key });
    const sessions = new Set<Http2Session>();
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket));
    server.on('session', (session) => sessions.add(session));
    server.on('stream', (stream) => {
      stream.on('error', () => undefined);
      setTimeout(() => {
        if (stream.destroyed) return;
        this.answers += 1;
        stream.respond({ ':status': 200 });
        stream.end('served');
      }, ANSWER_MS);
    });
    return {
      close: await listen(server, port),
      leave: () => {
        server.close();
        for (const session of sessions) session.close();
      },
      cut: () => {
        server.close();
        for (const socket of sockets) socket.destroy();
      },
    };
  }
}

/** Running servers of one protocol, what a client needs to trust them, and the URL to ask. */
export interface RestartableFleet {
  readonly servers: readonly RestartableServer[];
  readonly url: string;
  readonly ca: string | undefined;
}

export async function startRestartable(
  protocol: 'HTTP/1.1' | 'h2',
  count: number,
  folder: string,
): Promise<RestartableFleet> {
  const places = Array.from({ length: count });
  let fleet: RestartableFleet;
  if (protocol === 'h2') {
    const authority = await createAuthority(folder, 'authority');
    const issued = await authority.issue('server', 'DNS:api.test');
    const [cert, key, ca] = await Promise.all(
      [issued.cert, issued.key, authority.ca].map((file) => readFile(file, 'utf8')),
    );
    fleet = { servers: places.map(() => new Http2Server(cert!, key!)), url: 'https://api.test/', ca };
  } else {
    fleet = { servers: places.map(() => new Http1Server()), url: 'http://api.test/', ca: undefined };
  }
  for (const server of fleet.servers) await server.start();
  return fleet;
}

/** Listens on loopback; what comes back resolves once the server, told to close, has done so. */
async function listen(server: Server, port: number): Promise<Life['close']> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const closed = once(server, 'close');
  return async () => void (await closed);
}
