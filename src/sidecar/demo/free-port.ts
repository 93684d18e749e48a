import { createServer } from 'node:net';

const HOST = '127.0.0.1';
const TRIES = 100;

/** The first free TCP port on 127.0.0.1 from `preferred` upwards that is not in `taken`, and adds it there. */
export async function freePort(preferred: number, taken: Set<number>): Promise<number> {
  for (let port = preferred; port < preferred + TRIES; port += 1) {
    if (!taken.has(port) && (await isFree(port))) {
      taken.add(port);
      return port;
    }
  }
  throw new Error(`no free port on ${HOST} between ${preferred} and ${preferred + TRIES - 1}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, HOST, () => probe.close(() => resolve(true)));
  });
}
