import { once } from 'node:events';
import { createServer } from 'node:net';

const LOOPBACK = '127.0.0.1';
// Below the ports that the kernel gives to outgoing connections, of which tests and benchmarks make thousands: one of those could
// take the port before its server does, or a client waiting for the server connect to itself.
const FIRST_PORT = 12_000;
const PORTS = 20_000;

/** A TCP port that is free on all the addresses, by default on 127.0.0.1. */
export async function freePort(...hosts: readonly string[]): Promise<number> {
  const wanted = hosts.length > 0 ? hosts : [LOOPBACK];
  for (let tries = 0; tries < PORTS; tries += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const free = await Promise.all(wanted.map((host) => isFree(host, port)));
    if (free.every(Boolean)) return port;
  }
  throw new Error(`no port from ${FIRST_PORT} on is free on ${wanted.join(', ')}`);
}

/** `count` different free TCP ports on 127.0.0.1. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, host), 'listening');
    await once(server.close(), 'close');
    return true;
  } catch {
    return false;
  }
}
