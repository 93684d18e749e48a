import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A wire between a client and a server on loopback that a test can cut. */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  readonly url: string;
  #gone: Promise<unknown> | undefined;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** @param target `http://127.0.0.1:8500` */
  static async start(target: string): Promise<TcpProxy> {
    const sockets = new Set<Socket>();
    const { hostname, port } = new URL(target);
    const server = createServer((near) => {
      const far = connect(Number(port), hostname);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(one);
        one.on('error', () => undefined);
        one.on('close', () => {
          sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, sockets);
  }

  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Resets every connection and takes no more. */
  async cut(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#gone ??= once(this.#server.close(), 'close');
    await this.#gone;
  }
}
