import { randomUUID } from 'node:crypto';
import { once, setMaxListeners } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { formatAddress } from '../../upstream/address.ts';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import { type Logger, SILENT } from '../../upstream/logger.ts';
import { Agent } from './agent.ts';
import { type Clock, SYSTEM_CLOCK } from './clock.ts';
import type { Context } from './context.ts';
import { createHttpServer } from './http/server.ts';
import { Router } from './http/router.ts';
import type { Identity } from './identity.ts';
import { loadSnapshot, Persister } from './persist.ts';
import { agentRoutes } from './routes/agent.ts';
import { catalogRoutes } from './routes/catalog.ts';
import { healthRoutes } from './routes/health.ts';
import { kvRoutes } from './routes/kv.ts';
import { statusRoutes } from './routes/status.ts';
import type { Snapshot } from './snapshot-file.ts';
import { createStore, type Store } from './store/store.ts';

/**
 * Added to the last saved index at start. Writes of the last moments before a crash may be missing from the file, but
 * their indexes may have been handed out; this is more than any such moment holds.
 */
const RESTART_GAP = 10_000;

export interface EmbeddedRegistryOptions {
  /** `host:port`; port 0 takes a free one. @default '127.0.0.1:8500' */
  readonly listen?: string;
  /** File that keeps everything over restarts; without one it is gone at the end. */
  readonly dataFile?: string;
  /** @default 'dc1' */
  readonly datacenter?: string;
  /** Name of the one node. @default 'upsync-registry' */
  readonly node?: string;
  /** Connections one client address may have open, as Consul's `http_max_conns_per_client`; 0: any number. @default 0 */
  readonly maxConnectionsPerClient?: number;
  readonly logger?: Logger;
  /** Time for waits, TTLs and the file. @default the machine's */
  readonly clock?: Clock;
  /** Numbers in [0, 1) for jitter. @default Math.random */
  readonly random?: () => number;
}

/** A running registry. */
export interface EmbeddedRegistry {
  /** `http://127.0.0.1:8500`. */
  readonly url: string;
  readonly port: number;
  /** Everything in it, for programs that fill or read it directly; writes here wake HTTP clients as well. */
  readonly store: Store;
  /**
   * Answers no more, ends every connection and writes the file. Safe to call twice.
   * @throws {UpsyncError} REGISTRY_DATA_UNWRITABLE when the last writes could not be saved.
   */
  close(): Promise<void>;
}

/**
 * Starts a registry inside this process that speaks Consul's HTTP API for key/value, catalog, health and agent: for
 * development, demos and a single machine. Production is Consul: this is one process without replicas, access control
 * or encryption.
 * @throws {UpsyncError} REGISTRY_PORT_IN_USE, REGISTRY_BAD_LISTEN, REGISTRY_CANNOT_LISTEN, REGISTRY_DATA_UNREADABLE,
 * REGISTRY_DATA_CORRUPT, REGISTRY_DATA_UNWRITABLE.
 */
export async function createEmbeddedRegistry(
  options: EmbeddedRegistryOptions = {},
): Promise<EmbeddedRegistry> {
  const listen = parseListen(options.listen ?? '127.0.0.1:8500');
  const clock = options.clock ?? SYSTEM_CLOCK;
  const logger = options.logger ?? SILENT;
  const random = options.random ?? Math.random;
  const saved = options.dataFile === undefined ? undefined : await loadSnapshot(options.dataFile);
  const closing = new AbortController();
  // One listener for each request under way, however many that are.
  setMaxListeners(0, closing.signal);

  // The routes need to know the port, which is known once the server listens; it answers nothing before.
  const late: { router?: Router } = {};
  const server = createHttpServer(
    { find: (path) => late.router!.find(path) },
    { logger, maxConnectionsPerClient: options.maxConnectionsPerClient ?? 0, closing: closing.signal },
  );
  const port = await open(server, listen.host, listen.port);
  const identity: Identity = {
    datacenter: options.datacenter ?? 'dc1',
    node: options.node ?? 'upsync-registry',
    nodeId: saved?.nodeId ?? randomUUID(),
    address: reachable(listen.host),
    port,
  };
  const store = createStore();
  const agent = new Agent({ store, identity, clock, random, logger });
  const context: Context = { identity, store, agent, clock, random };
  let persister: Persister | undefined;
  try {
    if (saved) restore(store, agent, saved);
    agent.start();
    late.router = createRouter(context);
    if (options.dataFile !== undefined) persister = keep(options.dataFile, context, logger);
    // At once: the restart raised the index, and a file that cannot be written is better known now than later.
    await persister?.flush();
  } catch (error) {
    agent.close();
    await end(server);
    throw error;
  }
  const url = `http://${formatAddress(identity.address, port)}`;
  logger.info({ url, dataFile: options.dataFile }, 'registry_listening');

  let closed: Promise<void> | undefined;
  const close = async () => {
    closing.abort();
    agent.close();
    await end(server);
    await persister?.flush();
  };
  return { url, port, store, close: async () => (closed ??= close()) };
}

function createRouter(context: Context): Router {
  return new Router([
    ...kvRoutes(context),
    ...catalogRoutes(context),
    ...healthRoutes(context),
    ...agentRoutes(context),
    ...statusRoutes(context),
  ]);
}

function restore(store: Store, agent: Agent, saved: Snapshot): void {
  store.indexes.raiseFloor(saved.index + RESTART_GAP);
  store.kv.restore(saved.kv);
  store.catalog.restore(saved.catalog);
  agent.restore(saved.agent);
}

function keep(path: string, context: Context, logger: Logger): Persister {
  const { agent, clock, identity, store } = context;
  const take = (): Snapshot => ({
    index: store.indexes.current,
    nodeId: identity.nodeId,
    kv: store.kv.dump(),
    catalog: store.catalog.dump(),
    agent: agent.dump(),
  });
  const persister = new Persister({ path, take, clock, logger });
  store.indexes.onWrite(() => persister.changed());
  persister.changed();
  return persister;
}

function parseListen(text: string): { host: string; port: number } {
  const split = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]*):(\d{1,5})$/.exec(text);
  const port = Number(split?.[2]);
  if (!split || port > 65535)
    throw new UpsyncError('REGISTRY_BAD_LISTEN', `"${text}" is no address to listen on: expected host:port`);
  return { host: split[1]!.replace(/^\[|\]$/g, '') || '127.0.0.1', port };
}

async function open(server: Server, host: string, port: number): Promise<number> {
  const shown = formatAddress(host, port);
  try {
    const failed = new Promise<never>((_resolve, reject) => server.once('error', reject));
    server.listen(port, host);
    await Promise.race([once(server, 'listening'), failed]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE')
      throw new UpsyncError(
        'REGISTRY_PORT_IN_USE',
        `the registry cannot listen on ${shown}: another program has that port; choose another address`,
        { cause: error },
      );
    throw new UpsyncError(
      'REGISTRY_CANNOT_LISTEN',
      `the registry cannot listen on ${shown}: ${errorText(error)}`,
      {
        cause: error,
      },
    );
  }
  return (server.address() as AddressInfo).port;
}

async function end(server: Server): Promise<void> {
  const ended = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await ended;
}

// A wildcard is an address to listen on, not one to give to clients.
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === 'localhost') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
