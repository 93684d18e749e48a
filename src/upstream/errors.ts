/**
 * Base of every error Upsync raises on purpose. Match on `code`, never on the message: codes are stable, and each one is
 * listed in docs/errors.md. `message` says what was tried, on what, and what happens next.
 */
export class UpsyncError extends Error {
  override readonly name: string = 'UpsyncError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One entry of a list that was refused; the rest of the list stays in use. */
export interface RejectedEntry {
  /** Where the entry stands: a KV key, a service id, `file:line`. Safe to log. */
  readonly where: string;
  /** Stable, for instance `BAD_ADDRESS`. */
  readonly code: string;
  /** One sentence without the entry's raw bytes, safe to log. */
  readonly reason: string;
}

/** Result of something that is expected to fail at times. */
export type Result<T, E = UpsyncError> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

/** The text of anything thrown, for a log line or the tail of a message. */
export function errorText(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(errorText).join('; ');
  if (error instanceof Error) return error.message || error.name;
  return String(error);
}
