import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { formatAddress } from '../../upstream/address.ts';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import { type Logger, SILENT } from '../../upstream/logger.ts';
import type { NameReader } from '../resolution.ts';
import { type Call, createActions, type Outcome } from './actions.ts';
import { NodesFile } from './nodes-file.ts';
import { badRequest, Services } from './services.ts';
import { StaticGroups } from './static-groups.ts';
import { writersOf } from './writers.ts';

/** Where a config service listens unless told otherwise. */
export const CONFIG_SERVICE_DEFAULTS = Object.freeze({ host: '127.0.0.1', port: 8090 });

export interface ConfigServiceOptions {
  /** Names are looked up here; without it only registered services and groups are known. */
  readonly resolver?: NameReader;
  /** Port 0 takes a free one. @default { host: '127.0.0.1', port: 8090 } */
  readonly listen?: { readonly host?: string; readonly port?: number };
  /** File that keeps the static groups over restarts. @default none; they are in memory only */
  readonly groupsFile?: string;
  /** File that keeps registered services and their nodes over restarts. @default none; they are in memory only */
  readonly nodesFile?: string;
  /** Addresses that may change something: `10.0.0.7`, `10.0.0.0/8`. @default everybody who can connect */
  readonly writers?: readonly string[];
  /**
   * Part of the `lookupforupdate` calls that are told a change, the others hear "unchanged" and come back: protects from all clients
   * fetching at once. Vintage has a switch for a quarter. 0..1. @default 1
   */
  readonly changedShare?: number;
  /** A node without heartbeat for so long is unreachable. Milliseconds. @default 15000: three beats */
  readonly heartbeatTimeoutMs?: number;
  /** Part of the nodes that once worked that missed heartbeats alone never take out. 0..1. @default 0.6 */
  readonly threshold?: number;
  /** How long the first lookup of a name waits for the registry. Milliseconds. @default 1000 */
  readonly readyTimeoutMs?: number;
  /** Names looked up for clients at most. @default 1000 */
  readonly maxNames?: number;
  /** @default SILENT */
  readonly logger?: Logger;
  /** Monotonic, milliseconds. @default performance.now */
  readonly now?: () => number;
  /** @default Math.random */
  readonly random?: () => number;
}

export interface ConfigService {
  readonly url: string;
  readonly port: number;
  /** Resolves when every connection is closed. */
  close(): Promise<void>;
}

const MAX_BODY = 1024 * 1024;
const REQUEST_MS = 10_000;

/**
 * Serves a config service with the shapes of Weibo's Vintage, for clients that poll: `/naming/service` (lookup, lookupforupdate,
 * getsign, register, unregister, batchunregister, heartbeat), `/naming/admin` (add, update, get and delete service, add, get and
 * delete cluster), `/1/config/service` (lookup, lookupforupdate, getsign, getgroup, getkeys, register, unregister). A lookup with the present sign is answered 304. Services
 * with nodes registered here come first, then names of the resolver: service `rs` with cluster `a/6379`.
 *
 * It has no password. Who may change something is said by `writers`; without them let it listen where only your services are.
 * @throws {UpsyncError} CONFIG_FILE, BAD_WRITER; what `listen` throws when the address is taken.
 */
export async function createConfigService(options: ConfigServiceOptions = {}): Promise<ConfigService> {
  const { logger = SILENT, heartbeatTimeoutMs = 15_000, threshold = 0.6 } = options;
  const services = new Services({
    heartbeatTimeoutMs,
    threshold,
    now: options.now ?? (() => performance.now()),
  });
  const mayWrite = writersOf(options.writers);
  const act = createActions({
    resolver: options.resolver,
    services,
    changedShare: options.changedShare ?? 1,
    random: options.random ?? Math.random,
    groups: await StaticGroups.open(options.groupsFile),
    readyTimeoutMs: options.readyTimeoutMs ?? 1000,
    maxNames: options.maxNames ?? 1000,
  });
  const nodes =
    options.nodesFile === undefined ? undefined : await NodesFile.open(options.nodesFile, services, logger);
  const { host = CONFIG_SERVICE_DEFAULTS.host, port = CONFIG_SERVICE_DEFAULTS.port } = options.listen ?? {};
  const server = createServer((request, response) => {
    answer(request, act, mayWrite(request.socket.remoteAddress))
      .catch((error: unknown) => failure(error, request, logger))
      .then((reply) => send(response, reply))
      .catch((error: unknown) => {
        logger.debug({ reason: errorText(error) }, 'config_reply_lost');
        response.destroy();
      });
  });
  server.requestTimeout = REQUEST_MS;
  try {
    server.listen({ host, port });
    await once(server, 'listening');
  } catch (error) {
    await nodes?.close();
    throw error;
  }
  const bound = (server.address() as { port: number }).port;
  let closing: Promise<void> | undefined;
  return {
    url: `http://${formatAddress(host, bound)}`,
    port: bound,
    close: () =>
      (closing ??= new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }).then(() => nodes?.close())),
  };
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

async function answer(
  request: IncomingMessage,
  act: (call: Call) => Promise<Outcome>,
  mayWrite: boolean,
): Promise<Reply> {
  const isWrite = request.method === 'POST';
  if (!isWrite && request.method !== 'GET') throw badRequest('only GET and POST are spoken here');
  const target = request.url ?? '/';
  if (!URL.canParse(target, 'http://config')) throw badRequest('the request has no readable path');
  const url = new URL(target, 'http://config');
  const body = isWrite ? await readText(request) : '';
  const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
  const form = new URLSearchParams(isForm ? body : '');
  const get = (parameter: string): string => url.searchParams.get(parameter) ?? form.get(parameter) ?? '';
  const outcome = await act({ path: url.pathname, action: get('action'), isWrite, get, body, mayWrite });
  if (outcome === 'unchanged') return { status: 304, body: undefined };
  return { status: 200, body: { code: '200', body: outcome.body } };
}

function failure(error: unknown, request: IncomingMessage, logger: Logger): Reply {
  const code = error instanceof UpsyncError ? error.code : undefined;
  const status = code === undefined ? 500 : (STATUS[code] ?? 500);
  if (status === 500) logger.error({ reason: errorText(error) }, 'config_request_failed');
  const path = (request.url ?? '/').split('?')[0]!;
  const text = status === 500 ? 'the request failed here' : errorText(error);
  return { status, body: { error_code: String(status), error: text, request: path } };
}

const STATUS: Readonly<Record<string, number>> = {
  BAD_REQUEST: 400,
  BAD_ADDRESS: 400,
  BAD_NAME: 400,
  UNKNOWN_IDC: 400,
  NOT_ALLOWED: 401,
  NOT_FOUND: 404,
  PENDING: 503,
  TOO_MANY_NAMES: 503,
  CLOSED: 503,
  CONFIG_FILE: 503,
};

function send(response: ServerResponse, { status, body }: Reply): void {
  if (body === undefined) {
    response.writeHead(status).end();
    return;
  }
  const text = JSON.stringify(body);
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    .end(text);
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw badRequest(`a request has at most ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
