import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import { errorText } from '../../../upstream/errors.ts';
import type { Logger } from '../../../upstream/logger.ts';
import { writeJson } from '../json.ts';
import { readBody } from './body.ts';
import { HttpError } from './errors.ts';
import { parseQuery } from './query.ts';
import type { Reply } from './reply.ts';
import { allowHeader, requireMethod, type Router } from './router.ts';
import { refuseTenancy } from './tenancy.ts';

/** Between a client's requests on one connection; Node's own 5 s makes clients that reuse connections fail at random. */
const KEEP_ALIVE_MS = 120_000;
/** How long what is left of a refused request's body is read and dropped before the connection ends. */
const DISCARD_MS = 2000;
// What Go calls printable: no control, format, private or unassigned character, and no space but the plain one.
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

/** The HTTP side: takes requests apart, finds the handler, and writes what it answers, whatever the client sent. */
export function createHttpServer(
  router: Pick<Router, 'find'>,
  options: { logger: Logger; maxConnectionsPerClient: number; closing: AbortSignal },
): Server {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    serve(router, request, response, options.closing).catch((error: unknown) => {
      options.logger.error({ path: request.url, error: errorText(error) }, 'registry_request_failed');
      if (!response.headersSent)
        fail(response, new HttpError(500, 'internal error of the embedded registry'));
      else response.destroy();
    });
  });
  server.on('clientError', (_error, socket) => {
    if (socket.writable)
      socket.end(
        'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n400 Bad Request',
      );
    else socket.destroy();
  });
  limitConnections(server, options.maxConnectionsPerClient);
  return server;
}

async function serve(
  router: Pick<Router, 'find'>,
  request: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  const leave = () => gone.abort();
  response.once('close', leave);
  closing.addEventListener('abort', leave);
  try {
    const reply = await answer(router, request, response, gone.signal);
    if (reply) send(response, reply.reply, reply.isPretty);
    else response.destroy();
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    if (error.status === 307) redirect(request, response, error.headers['Location'] ?? '');
    else fail(response, error);
  } finally {
    closing.removeEventListener('abort', leave);
    if (!request.complete) discardRest(request);
  }
}

// A refused body is swallowed for a while: closing at once would lose the reply on its way to a client still sending.
function discardRest(request: IncomingMessage): void {
  const timer = setTimeout(() => request.destroy(), DISCARD_MS);
  timer.unref();
  request.once('close', () => clearTimeout(timer));
  request.resume();
}

async function answer(
  router: Pick<Router, 'find'>,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<{ reply: Reply; isPretty: boolean } | undefined> {
  const target = request.url ?? '/';
  const mark = target.indexOf('?');
  const escaped = mark === -1 ? target : target.slice(0, mark);
  const path = decodePath(escaped);
  const clean = cleanPath(escaped);
  if (clean !== escaped) throw new HttpError(307, '', { Location: clean });
  const { rest, route } = router.find(path);
  response.setHeader('Vary', 'Accept-Encoding');
  response.setHeader('X-Consul-Default-Acl-Policy', 'allow');
  const query = parseQuery(mark === -1 ? '' : target.slice(mark + 1));
  const method = request.method ?? 'GET';
  if (method === 'OPTIONS') return { reply: { headers: { Allow: allowHeader(route) } }, isPretty: false };
  requireMethod(route, method);
  refuseTenancy(route.path, query, request.headers);
  const length = Number(request.headers['content-length'] ?? -1);
  const reply = await route.handle({
    method,
    rest,
    query,
    signal,
    contentLength: length,
    body: (limit) => readBody(request, limit),
  });
  return reply && { reply, isPretty: query.has('pretty') };
}

function decodePath(escaped: string): string {
  let path: string;
  try {
    path = decodeURIComponent(escaped);
  } catch {
    throw new HttpError(400, '400 Bad Request', { Connection: 'close' });
  }
  if (UNPRINTABLE.test(path)) throw new HttpError(400, '');
  return path;
}

// Empty and dotted segments are resolved by a redirect, as Go's server does; escaped slashes are not segments.
function cleanPath(path: string): string {
  if (!/\/(\/|\.\.?(\/|$))/.test(path)) return path;
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  return `/${kept.join('/')}${path.endsWith('/') && kept.length > 0 ? '/' : ''}`;
}

function send(response: ServerResponse, reply: Reply, isPretty: boolean): void {
  if (response.destroyed) return;
  const status = reply.status ?? 200;
  const body =
    reply.raw ??
    reply.jsonText ??
    (reply.json === undefined ? undefined : Buffer.from(jsonText(reply, isPretty)));
  const isJson =
    reply.jsonText !== undefined || reply.json !== undefined || (status === 200 && body === undefined);
  response.writeHead(status, STATUS_CODES[status], {
    ...(isJson ? { 'Content-Type': 'application/json' } : {}),
    ...reply.headers,
    'Content-Length': body?.length ?? 0,
  });
  response.end(body);
}

function jsonText(reply: Reply, isPretty: boolean): string {
  return writeJson(reply.json, isPretty) + (isPretty ? '\n' : '');
}

function fail(response: ServerResponse, error: HttpError): void {
  if (response.destroyed) return;
  response.writeHead(error.status, STATUS_CODES[error.status], {
    'Content-Type': 'text/plain; charset=utf-8',
    ...error.headers,
    'Content-Length': Buffer.byteLength(error.message),
  });
  response.end(error.message);
}

// As Go's server does it: the query goes along, and a reader gets a line of HTML.
function redirect(request: IncomingMessage, response: ServerResponse, path: string): void {
  const location = path + (/\?.*$/s.exec(request.url ?? '')?.[0] ?? '');
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const shown = location.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const body = isRead ? `<a href="${shown}">Temporary Redirect</a>.\n\n` : '';
  response.writeHead(307, STATUS_CODES[307], {
    ...(isRead ? { 'Content-Type': 'text/html; charset=utf-8' } : {}),
    Location: location,
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}

function limitConnections(server: Server, limit: number): void {
  if (limit <= 0) return;
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const client = socket.remoteAddress ?? '';
    const count = (open.get(client) ?? 0) + 1;
    open.set(client, count);
    socket.once('close', () => {
      const left = (open.get(client) ?? 1) - 1;
      if (left > 0) open.set(client, left);
      else open.delete(client);
    });
    if (count > limit)
      socket.end(
        'HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nYour IP is issuing too many concurrent connections, please rate limit your calls\n',
      );
  });
}
