import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { freePort } from './ports.ts';

/** A real HTTP server on loopback that counts what it serves; its answer is its own address unless told otherwise. */
export interface Backend {
  readonly address: string;
  readonly port: number;
  requests: number;
  connections: number;
  /** Replaces the answer. */
  handler: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  close(): Promise<void>;
}

/** Starts one, by default at a free port of 127.0.0.1, to which a test may come back later. */
export async function startBackend(port = 0, host = '127.0.0.1'): Promise<Backend> {
  const bound = port > 0 ? port : await freePort(host);
  const server: Server = createServer((request, response) => {
    backend.requests += 1;
    if (backend.handler !== undefined) return backend.handler(request, response);
    request.resume();
    response.end(backend.address);
  });
  server.on('connection', () => (backend.connections += 1));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(bound, host, resolve);
  });
  const backend: Backend = {
    address: `${host}:${bound}`,
    port: bound,
    requests: 0,
    connections: 0,
    handler: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return backend;
}

/** A loopback address on which nothing listens. */
export async function closedAddress(): Promise<string> {
  const backend = await startBackend();
  await backend.close();
  return backend.address;
}
