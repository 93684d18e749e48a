import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Decides what one request's connection gets; `request` is the text up to the blank line. */
export type RawAnswer = (request: string, socket: Socket, number: number) => void;

/** A TCP server on loopback that answers HTTP requests byte by byte as a test wants. */
export class FakeServer {
  readonly requests: string[] = [];
  answer: RawAnswer;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, answer: RawAnswer) {
    this.#server = server;
    this.answer = answer;
  }

  static async start(answer: RawAnswer): Promise<FakeServer> {
    const server = createServer();
    const fake = new FakeServer(server, answer);
    server.on('connection', (socket) => {
      fake.#sockets.add(socket);
      socket.on('close', () => fake.#sockets.delete(socket));
      socket.on('error', () => undefined);
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
        for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
          const request = text.slice(0, end);
          text = text.slice(end + 4);
          fake.requests.push(request);
          fake.answer(request, socket, fake.requests.length);
        }
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** The bytes of an HTTP reply; `Content-Length` and an index are added unless given. */
export function httpReply(
  body: string,
  { status = '200 OK', index = '5', headers = [] as readonly string[] } = {},
): string {
  const lines = [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${Buffer.byteLength(body)}`];
  if (index !== '') lines.push(`X-Consul-Index: ${index}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
