import { connect, type Socket } from 'node:net';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import type { ResolvedServer, Resolver } from '../resolution.ts';
import { candidates, RecentFailures, type ResourceRole } from './choose.ts';

export interface ConnectOptions {
  /** @default 'reader' */
  readonly role?: ResourceRole;
  /** Bound of the whole, looking the name up included. Milliseconds. @default 5000 */
  readonly timeoutMs?: number;
  /** Bound of one try. Milliseconds. @default 1000 */
  readonly tryMs?: number;
  /** Servers tried at most. @default 3 */
  readonly tries?: number;
  readonly signal?: AbortSignal;
  /** @default Math.random */
  readonly random?: () => number;
}

/** Bound of a try whether a server takes connections. Milliseconds. */
export const PROBE_MS = 500;
const RECENT_MS = 5000;
const recent = new RecentFailures(RECENT_MS);

/**
 * Opens a TCP connection to a live server of a name, for MySQL, memcached and whatever takes a socket. A server that cannot be
 * reached is passed over for the next, and by other callers for five seconds.
 *
 * ```ts
 * const socket = await connectTo(resolver, 'mysql.a.3306');
 * ```
 * @throws {UpsyncError} PENDING when nothing is known of the name in time, NO_SERVER when none can be reached, BAD_NAME,
 * UNKNOWN_IDC.
 */
export async function connectTo(
  resolver: Resolver,
  name: string,
  options: ConnectOptions = {},
): Promise<Socket> {
  const { role = 'reader', timeoutMs = 5000, tryMs = 1000, tries = 3, random = Math.random } = options;
  const end = performance.now() + timeoutMs;
  const { signal } = options;
  const resolution = await resolver.ready(name, { timeoutMs, ...(signal && { signal }) });
  const now = performance.now();
  const servers = candidates(resolution, role, random);
  // Those that failed lately are not forgotten, only asked last: they may be all there is.
  const ordered = [
    ...servers.filter(({ address }) => !recent.has(address, now)),
    ...servers.filter(({ address }) => recent.has(address, now)),
  ];
  const failures: string[] = [];
  for (const server of ordered.slice(0, tries)) {
    const leftMs = end - performance.now();
    if (leftMs <= 0 || signal?.aborted) break;
    try {
      const socket = await open(server, Math.min(tryMs, leftMs), signal);
      recent.delete(server.address);
      return socket;
    } catch (error) {
      recent.add(server.address, performance.now());
      failures.push(`${server.address}: ${errorText(error)}`);
    }
  }
  throw new UpsyncError(
    'NO_SERVER',
    failures.length === 0
      ? `${resolution.name} has no server that takes traffic`
      : `no server of ${resolution.name} can be reached (${failures.join('; ')})`,
  );
}

/** Whether a server takes connections. */
export async function isReachable(server: ResolvedServer, boundMs: number): Promise<boolean> {
  try {
    (await open(server, boundMs, undefined)).destroy();
    return true;
  } catch {
    return false;
  }
}

function open(server: ResolvedServer, boundMs: number, signal: AbortSignal | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.host, port: server.port, noDelay: true });
    const end = (error?: Error): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', end);
      if (error === undefined) return resolve(socket);
      // The socket is nobody's any more; a late error of it must not end the process.
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => end(new Error(`no connection within ${Math.round(boundMs)} ms`)), boundMs);
    const onAbort = (): void => end(new Error('the connecting was ended'));
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('error', end);
    socket.once('connect', () => end());
  });
}
