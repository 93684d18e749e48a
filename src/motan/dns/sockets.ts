import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv6, type Server as TcpServer, type Socket } from 'node:net';

/** Answers bytes, now or later; false when they are no query and get no answer. */
export type Handler = (bytes: Buffer, transport: 'udp' | 'tcp', reply: (bytes: Buffer) => void) => boolean;

export interface Transport {
  close(): Promise<void>;
}

/** Holds bursts that arrive while one turn of the event loop is busy. Bytes. */
const UDP_BUFFER_BYTES = 4 * 1024 * 1024;
const BIND_TRIES = 20;
/** One more takes the place of the one that has been without a question for longest. */
const MAX_CONNECTIONS = 512;
/** A TCP client without a whole question, or that takes no answer, for so long is cut off. Milliseconds. */
const TCP_IDLE_MS = 10_000;
/** Questions of one connection under way at most; reading then waits. */
const MAX_PIPELINED = 64;
/** The same for answers its client has not taken yet: a question of 30 bytes may have one of 60 thousand. Bytes. */
const MAX_UNSENT_BYTES = 256 * 1024;

/**
 * Opens UDP and TCP on one port. With port 0 a port is looked for that is free for both.
 */
export async function bindBoth(
  host: string,
  port: number,
): Promise<{ readonly udp: UdpSocket; readonly tcp: TcpServer; readonly port: number }> {
  for (let turn = 1; ; turn++) {
    // A client that has asked all it wants may close its side and still waits for the answers.
    const tcp = createServer({ allowHalfOpen: true });
    tcp.listen({ host, port, backlog: MAX_CONNECTIONS });
    await once(tcp, 'listening');
    const taken = (tcp.address() as { port: number }).port;
    const udp = createSocket({
      type: isIPv6(host) ? 'udp6' : 'udp4',
      // Clients' addresses need no lookup; without this each answer would wait a turn for one.
      lookup: (address, _options, callback) => callback(null, address, isIPv6(address) ? 6 : 4),
    });
    try {
      // Without a lookup `bind` may be done before it returns.
      const listening = once(udp, 'listening');
      udp.bind({ address: host, port: taken, exclusive: true });
      await listening;
      enlargeBuffers(udp);
      return { udp, tcp, port: taken };
    } catch (error) {
      udp.close();
      tcp.close();
      if (port !== 0 || turn >= BIND_TRIES) throw error;
    }
  }
}

export function serveUdp(socket: UdpSocket, handle: Handler): Transport {
  socket.on('message', (bytes, { address, port }) => {
    handle(bytes, 'udp', (answer) => {
      // Port 0 cannot be sent to and would throw. Without a call-back a send costs no turn of the event loop.
      if (port > 0) socket.send(answer, 0, answer.length, port, address);
    });
  });
  // An answer that cannot be sent is the client's loss; the socket serves on.
  socket.on('error', () => undefined);
  let closing: Promise<void> | undefined;
  return {
    close: () => (closing ??= new Promise((resolve) => socket.close(() => resolve()))),
  };
}

export function serveTcp(server: TcpServer, handle: Handler): Transport {
  // The one whose last question is the oldest first.
  const open = new Set<Connection>();
  server.on('connection', (socket) => {
    // Whoever opens connections and lets them lie must not keep the others out.
    if (open.size >= MAX_CONNECTIONS) {
      const idle = [...open].find((one) => !one.isBusy);
      if (idle === undefined) return void socket.destroy();
      idle.destroy();
      open.delete(idle);
    }
    const connection = new Connection(socket, handle, () => {
      open.delete(connection);
      open.add(connection);
    });
    open.add(connection);
    socket.on('close', () => open.delete(connection));
  });
  server.on('error', () => undefined);
  let closing: Promise<void> | undefined;
  return {
    close: () =>
      (closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of open) connection.destroy();
      })),
  };
}

/** One client's connection: questions, each with its length in front, and their answers as they come. */
class Connection {
  readonly #socket: Socket;
  readonly #handle: Handler;
  readonly #asked: () => void;
  readonly #idle: NodeJS.Timeout;
  #got: Buffer = Buffer.alloc(0);
  #pending = 0;
  #hasEnded = false;

  /** @param asked called with each whole question */
  constructor(socket: Socket, handle: Handler, asked: () => void) {
    this.#socket = socket;
    this.#handle = handle;
    this.#asked = asked;
    this.#idle = setTimeout(() => this.destroy(), TCP_IDLE_MS);
    socket.on('error', () => this.destroy());
    socket.on('close', () => clearTimeout(this.#idle));
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#endWhenDone();
    });
    socket.on('drain', () => this.#goOn());
    socket.on('data', (chunk) => {
      this.#got = this.#got.length === 0 ? chunk : Buffer.concat([this.#got, chunk]);
      this.#take();
    });
  }

  /** Questions are under way. */
  get isBusy(): boolean {
    return this.#pending > 0;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  get #hasQuestion(): boolean {
    return this.#got.length >= 2 && this.#got.length >= 2 + this.#got.readUInt16BE(0);
  }

  get #isFull(): boolean {
    return this.#pending >= MAX_PIPELINED || this.#socket.writableLength > MAX_UNSENT_BYTES;
  }

  #take(): void {
    const socket = this.#socket;
    while (!this.#isFull) {
      const got = this.#got;
      if (!this.#hasQuestion) return;
      const end = 2 + got.readUInt16BE(0);
      this.#got = got.subarray(end);
      this.#pending++;
      this.#idle.refresh();
      this.#asked();
      let isAnswered = false;
      const isQuery = this.#handle(got.subarray(2, end), 'tcp', (answer) => {
        if (isAnswered || socket.destroyed) return;
        isAnswered = true;
        this.#answer(answer);
      });
      // Whoever sends what is no query is not worth a connection.
      if (!isQuery) return this.destroy();
    }
    socket.pause();
  }

  #goOn(): void {
    this.#idle.refresh();
    if (this.#socket.isPaused() && !this.#isFull) {
      this.#socket.resume();
      this.#take();
    }
    this.#endWhenDone();
  }

  #endWhenDone(): void {
    if (this.#hasEnded && this.#pending === 0 && !this.#hasQuestion) this.#socket.end();
  }

  #answer(answer: Buffer): void {
    const socket = this.#socket;
    this.#pending--;
    const head = Buffer.allocUnsafe(2);
    head.writeUInt16BE(answer.length, 0);
    socket.cork();
    socket.write(head);
    socket.write(answer);
    socket.uncork();
    this.#goOn();
  }
}

function enlargeBuffers(socket: UdpSocket): void {
  try {
    socket.setRecvBufferSize(UDP_BUFFER_BYTES);
    socket.setSendBufferSize(UDP_BUFFER_BYTES);
  } catch {
    // The system's own size then has to do.
  }
}
