import { connect, type Socket } from 'node:net';
import { WebSocket } from 'undici';

/** Connections that are meant to last longer than the measurement. */
export interface LongLived {
  readonly downloads: Counted;
  readonly websockets: Counted & {
    /** Heartbeats that had no answer a second later, on connections that were not cut. */
    silent(): number;
  };
  stop(): void;
}

export interface Counted {
  opened(): number;
  /** How many were ended by nginx so far. */
  cut(): number;
}

export interface LongLivedOptions {
  readonly port: number;
  /** Slow downloads, opened at once; none of them ends by itself within a quarter of a minute. */
  readonly downloads: number;
  /** Websockets opened at once; each sends a heartbeat every half second and expects it back. */
  readonly websockets: number;
  /** And one more websocket each so many milliseconds, as users come: each generation of workers gets some. */
  readonly arrivalMs: number;
}

const BEAT_MS = 500;
const PATIENCE_MS = 1000;

/** Opens the connections through the front. */
export function startLongLived({ port, downloads, websockets, arrivalMs }: LongLivedOptions): LongLived {
  const slow = openDownloads(port, downloads);
  const talking = new Set<Talk>();
  const cut = { count: 0 };
  let opened = 0;
  let silent = 0;
  const open = (): void => {
    opened += 1;
    const talk = new Talk(port, () => {
      if (talking.delete(talk)) cut.count += 1;
    });
    talking.add(talk);
  };
  for (let at = 0; at < websockets; at += 1) open();
  const arrivals = setInterval(open, arrivalMs);
  const beats = setInterval(() => {
    for (const talk of talking) if (!talk.beat(performance.now())) silent += 1;
  }, BEAT_MS);
  return {
    downloads: slow,
    websockets: { opened: () => opened, cut: () => cut.count, silent: () => silent },
    stop: () => {
      clearInterval(arrivals);
      clearInterval(beats);
      slow.stop();
      const left = [...talking];
      talking.clear();
      for (const talk of left) talk.close();
    },
  };
}

/** One websocket with its heartbeat. */
class Talk {
  readonly #socket: WebSocket;
  #sentAt: number | undefined;

  constructor(port: number, ended: () => void) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    this.#socket.addEventListener('message', () => (this.#sentAt = undefined));
    this.#socket.addEventListener('close', ended);
    this.#socket.addEventListener('error', () => undefined);
  }

  /** Sends the next heartbeat; false when the last one has been without an answer for too long. */
  beat(now: number): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return true;
    if (this.#sentAt !== undefined && now - this.#sentAt < PATIENCE_MS) return true;
    const answered = this.#sentAt === undefined;
    this.#sentAt = now;
    this.#socket.send('beat');
    return answered;
  }

  close(): void {
    this.#socket.close();
  }
}

function openDownloads(port: number, count: number): Counted & { stop(): void } {
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
    opened: () => count,
    cut: () => cut,
    stop: () => {
      ending = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}
