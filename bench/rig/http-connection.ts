import { connect, type Socket } from 'node:net';

/** How one request ended. */
export type Outcome =
  | { readonly kind: 'ok'; readonly body: string; readonly reusable: boolean }
  | { readonly kind: 'status'; readonly status: number; readonly reusable: boolean }
  | { readonly kind: 'error'; readonly error: string };

/**
 * One client connection that sends one request at a time. Deliberately plain: it shows when the server closes an idle
 * connection, which HTTP client libraries hide by connecting again.
 */
export class HttpConnection {
  readonly #socket: Socket;
  #received = '';
  #finish: ((outcome: Outcome) => void) | undefined;
  #closed: (() => void) | undefined;
  alive = true;

  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (chunk: string) => this.#take(chunk));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#end(error.code ?? error.message));
    this.#socket.on('close', () => this.#end('closed'));
  }

  /** Called once when the connection ends while no request is under way. */
  onIdleClose(callback: () => void): void {
    this.#closed = callback;
  }

  /** Sends the request text and resolves with how it ended; never rejects. */
  send(request: string): Promise<Outcome> {
    if (!this.alive) return Promise.resolve({ kind: 'error', error: 'closed' });
    return new Promise((resolve) => {
      this.#received = '';
      this.#finish = resolve;
      this.#socket.write(request);
    });
  }

  destroy(): void {
    this.#closed = undefined;
    this.#socket.destroy();
  }

  #take(chunk: string): void {
    if (this.#finish === undefined) return;
    this.#received += chunk;
    const head = this.#received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const headers = this.#received.slice(0, head);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(headers)?.[1] ?? 0);
    if (this.#received.length < head + 4 + length) return;
    const status = Number(headers.slice(9, 12));
    const reusable = !/\r\nconnection: close/i.test(headers);
    const body = this.#received.slice(head + 4);
    this.#settle(status === 200 ? { kind: 'ok', body, reusable } : { kind: 'status', status, reusable });
  }

  #end(why: string): void {
    if (!this.alive) return;
    this.alive = false;
    if (this.#finish === undefined) this.#closed?.();
    else this.#settle({ kind: 'error', error: why });
  }

  #settle(outcome: Outcome): void {
    const finish = this.#finish;
    this.#finish = undefined;
    finish?.(outcome);
  }
}
