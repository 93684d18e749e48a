/** A request that ends with that status and text, as Consul words it. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, text: string, headers: Readonly<Record<string, string>> = {}) {
    super(text);
    this.status = status;
    this.headers = headers;
  }
}

/** What a handler can fail with when the client sent something wrong. */
export function badRequest(text: string): HttpError {
  return new HttpError(400, text);
}

/** Answer of an endpoint that belongs to Consul but not to this registry. */
export function notHere(what: string): HttpError {
  return new HttpError(501, `${what} not supported by Upsync's embedded registry; production is Consul`);
}
