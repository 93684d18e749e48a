import { chmodSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { EngineStatus } from './engine-status.ts';

/** Answers `GET /status` on a unix socket that only the owner may use. */
export interface StatusServer {
  close(): Promise<void>;
}

/** Opens the socket, in place of one that an earlier engine left behind. */
export async function openStatusServer(socket: string, status: () => EngineStatus): Promise<StatusServer> {
  await rm(socket, { force: true });
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/status') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(status()));
  });
  // One question per connection: nothing idles that a stop would wait for.
  server.keepAliveTimeout = 1;
  const old = process.umask(0o077);
  try {
    server.listen(socket);
    await once(server, 'listening');
  } finally {
    process.umask(old);
  }
  chmodSync(socket, 0o600);
  return { close: () => closeServer(server) };
}

/** Ends a server at once, open connections included. */
export async function closeServer(server: Pick<Server, 'close' | 'closeAllConnections'>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
