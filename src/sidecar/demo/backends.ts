import { createServer, type Server } from 'node:http';

/** Starts one small HTTP server per port on loopback; each answers with its own address, so that balancing can be seen. */
export async function startBackends(ports: readonly number[]): Promise<Server[]> {
  return Promise.all(ports.map(startBackend));
}

function startBackend(port: number): Promise<Server> {
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/plain');
    response.end(`served by 127.0.0.1:${port}\n`);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
