import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv6, type Server as TcpServer, type Socket } from 'node:net';

/** Answers bytes, now, later or never. */
export type Handler = (bytes: Buffer, transport: 'udp' | 'tcp', reply: (bytes: Buffer) => void) => void;

export interface Transport {
  close(): Promise<void>;
}

/** Holds bursts that arrive while one turn of the event loop is busy. Bytes. */
const UDP_BUFFER_BYTES = 4 * 1024 * 1024;
const BIND_TRIES = 20;
const MAX_CONNECTIONS = 512;
/** A TCP client that is silent for so long is cut off. Milliseconds. */
const TCP_IDLE_MS = 10_000;
/** Questions of one connection under way at most; reading then waits. */
const MAX_PIPELINED = 64;

/**
 * Opens UDP and TCP on one port. With port 0 a port is looked for that is free for both.
 */
export async function bindBoth(
  host: string,
  port: number,
): Promise<{ readonly udp: UdpSocket; readonly tcp: TcpServer; readonly port: number }> {
  for (let turn = 1; ; turn++) {
    const tcp = createServer();
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
  const open = new Set<Socket>();
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    serveConnection(socket, handle);
  });
  server.on('error', () => undefined);
  let closing: Promise<void> | undefined;
  return {
    close: () =>
      (closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      })),
  };
}

function serveConnection(socket: Socket, handle: Handler): void {
  let got: Buffer = Buffer.alloc(0);
  let pending = 0;
  let hasEnded = false;
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('end', () => {
    hasEnded = true;
    if (pending === 0) socket.end();
  });
  const take = (): void => {
    while (pending < MAX_PIPELINED && got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
      const length = got.readUInt16BE(0);
      const bytes = got.subarray(2, 2 + length);
      got = got.subarray(2 + length);
      pending++;
      let isAnswered = false;
      const before = pending;
      handle(bytes, 'tcp', (answer) => {
        if (isAnswered || socket.destroyed) return;
        isAnswered = true;
        pending--;
        const head = Buffer.allocUnsafe(2);
        head.writeUInt16BE(answer.length, 0);
        socket.cork();
        socket.write(head);
        socket.write(answer);
        socket.uncork();
        if (hasEnded && pending === 0) socket.end();
        if (socket.isPaused()) {
          socket.resume();
          take();
        }
      });
      // Bytes that are no query get no answer; whoever sends them is not worth a connection.
      if (length < 12 && pending === before) return void socket.destroy();
    }
    if (pending >= MAX_PIPELINED || socket.writableLength > UDP_BUFFER_BYTES) socket.pause();
  };
  socket.on('data', (chunk) => {
    got = got.length === 0 ? chunk : Buffer.concat([got, chunk]);
    take();
  });
}

function enlargeBuffers(socket: UdpSocket): void {
  try {
    socket.setRecvBufferSize(UDP_BUFFER_BYTES);
    socket.setSendBufferSize(UDP_BUFFER_BYTES);
  } catch {
    // The system's own size then has to do.
  }
}
