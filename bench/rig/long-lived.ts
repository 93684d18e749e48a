import { connect, type Socket } from 'node:net';

/** Slow downloads that are meant to last longer than the measurement. */
export interface LongLived {
  /** How many were cut by the server so far. */
  cut(): number;
  stop(): void;
}

/** Opens `count` slow downloads through the front; none of them ends by itself within a quarter of a minute. */
export function startLongLived(port: number, count: number): LongLived {
  let cut = 0;
  let ending = false;
  const sockets: Socket[] = Array.from({ length: count }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /slow HTTP/1.1\r\nHost: bench\r\n\r\n');
    socket.once('data', (head: Buffer) => {
      if (!head.toString('latin1').startsWith('HTTP/1.1 200'))
        throw new Error(`a slow download was refused: ${head.toString('latin1', 0, 40)}`);
    });
    socket.resume();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (!ending) cut += 1;
    });
    return socket;
  });
  return {
    cut: () => cut,
    stop: () => {
      ending = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}
