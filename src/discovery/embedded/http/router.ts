import { HttpError } from './errors.ts';
import type { Reply } from './reply.ts';

/** One request as the handlers see it. */
export interface Call {
  readonly method: string;
  /** The decoded path after the route's own, for instance the key of `/v1/kv/a/b`: `a/b`. */
  readonly rest: string;
  readonly query: URLSearchParams;
  /** `Content-Length`, or -1 when the client sent none. */
  readonly contentLength: number;
  /** Reads the whole body, once. @throws {HttpError} 413 when it is larger than `limit` bytes. */
  body(limit: number): Promise<Buffer>;
  /** Aborts when the client is gone or the registry closes. */
  readonly signal: AbortSignal;
}

/** `path` ending in `/` takes everything below it, any other only itself. */
export interface Route {
  readonly path: string;
  readonly methods: readonly string[];
  /** Stands for a part of Consul that is not here. */
  readonly isElsewhere?: boolean;
  handle(call: Call): Reply | undefined | Promise<Reply | undefined>;
}

/** Finds the route of a path: the longest that fits. */
export class Router {
  readonly #exact = new Map<string, Route>();
  readonly #below: Route[] = [];

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      if (route.path.endsWith('/') && route.path !== '/') this.#below.push(route);
      else this.#exact.set(route.path, route);
    }
    this.#below.sort((a, b) => b.path.length - a.path.length);
  }

  /** @throws {HttpError} 404 when nothing is there, in Consul's words; 307 when only the slash at the end is missing. */
  find(path: string): { route: Route; rest: string } {
    const exact = this.#exact.get(path);
    if (exact) return { route: exact, rest: '' };
    if (this.#below.some((candidate) => !candidate.isElsewhere && candidate.path === `${path}/`))
      throw new HttpError(307, '', { Location: `${path}/` });
    const route = this.#below.find((candidate) => path.startsWith(candidate.path));
    if (route) return { route, rest: path.slice(route.path.length) };
    const hint = path.includes('/v1/')
      ? 'not a recognized HTTP API endpoint'
      : "if attempting to use the HTTP API, ensure the path starts with '/v1/'";
    throw new HttpError(404, `Invalid URL path: ${hint}\n`);
  }
}

/** @throws {HttpError} 405 with `Allow` unless the route takes that method. */
export function requireMethod(route: Route, method: string): void {
  if (route.methods.includes(method)) return;
  throw new HttpError(405, `method ${method} not allowed`, { Allow: allowHeader(route) });
}

/** The `Allow` header of a route. */
export function allowHeader(route: Route): string {
  return ['OPTIONS', ...route.methods].join(',');
}
