export const NEXT_UPSTREAM_CONDITIONS = [
  'error',
  'timeout',
  'invalid_header',
  'http_500',
  'http_502',
  'http_503',
  'http_504',
  'http_403',
  'http_404',
  'http_429',
  'non_idempotent',
  'off',
] as const;

/**
 * When a request is passed on to the next server, by nginx's words. `http_5xx`/`http_4xx` need the response not to have been
 * given to the caller yet; `non_idempotent` also allows it for POST, LOCK and PATCH after they were sent.
 * Source: nginx, proxy_next_upstream.
 */
export type NextUpstreamCondition = (typeof NEXT_UPSTREAM_CONDITIONS)[number];

export const DEFAULT_NEXT_UPSTREAM: readonly NextUpstreamCondition[] = ['error', 'timeout'];

const UNSAFE = new Set(['POST', 'LOCK', 'PATCH']);
const TIMEOUT_CODES = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'ETIMEDOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
// The caller's own doing, or a request undici refuses to send: no server is to blame.
const OWN_CODES = new Set([
  'UND_ERR_ABORTED',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_NOT_SUPPORTED',
]);

/** The condition an error of undici stands for; undefined when no server is to blame for it. */
export function conditionOfError(error: unknown): 'error' | 'timeout' | 'invalid_header' | undefined {
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (name === 'AbortError' || name === 'TimeoutError') return undefined;
  if (typeof code !== 'string') return undefined;
  if (OWN_CODES.has(code)) return undefined;
  if (TIMEOUT_CODES.has(code)) return 'timeout';
  return code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW' ? 'invalid_header' : 'error';
}

// Header frames, the first of a request, have type 1.
const UNSENT_FRAME = '"frameError" received - type 1,';

/**
 * True when an h2 server surely did nothing with the request: it refused the stream, which promises just that
 * (RFC 9113, 8.7), or it said GOAWAY before the request was on its way.
 */
export function isRefusedStream(error: Error): boolean {
  const { code } = error as { code?: unknown };
  if (code === 'UND_ERR_INFO') return error.message.includes(UNSENT_FRAME);
  return code === 'ERR_HTTP2_STREAM_ERROR' && error.message.includes('NGHTTP2_REFUSED_STREAM');
}

/** Decides about the next server; built once per dispatcher, asked only when an attempt did not go well. */
export class NextUpstream {
  readonly #conditions: ReadonlySet<string>;

  constructor(conditions: readonly NextUpstreamCondition[] = DEFAULT_NEXT_UPSTREAM) {
    this.#conditions = new Set(conditions.includes('off') ? [] : conditions);
  }

  /** Whether a failed attempt may be repeated on another server. `sent`: the request may have reached the first one. */
  allowsError(condition: 'error' | 'timeout' | 'invalid_header', method: string, sent: boolean): boolean {
    return this.#conditions.has(condition) && this.mayRepeat(method, sent);
  }

  /** Whether a response with this status is dropped in favour of another server's. */
  allowsStatus(status: number, method: string): boolean {
    // The lowest one that can be named is 403; most answers are done with here.
    return status >= 400 && this.#conditions.has(`http_${status}`) && this.mayRepeat(method, true);
  }

  /** nginx counts 403 and 404 as an answer, not as a failure of the server. */
  static isFailure(status: number): boolean {
    return status !== 403 && status !== 404;
  }

  /** `sent`: the request may have reached a server. */
  mayRepeat(method: string, sent: boolean): boolean {
    return !sent || !UNSAFE.has(method) || this.#conditions.has('non_idempotent');
  }
}
