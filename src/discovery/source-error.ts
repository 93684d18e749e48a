import { errorText, UpsyncError } from '../upstream/errors.ts';

/** Why a source could not tell its list. docs/errors.md explains each. */
export type SourceErrorCode =
  | 'SOURCE_UNREACHABLE'
  | 'SOURCE_TIMEOUT'
  | 'SOURCE_STATUS'
  | 'SOURCE_DENIED'
  | 'SOURCE_BUSY'
  | 'SOURCE_BAD_REPLY'
  | 'SOURCE_WRONG_TYPE'
  | 'SOURCE_TOO_LARGE'
  | 'SOURCE_CREDENTIALS'
  | 'SOURCE_BAD_OPTIONS'
  | 'SOURCE_FILE'
  | 'SOURCE_ENDED'
  | 'SOURCE_FAILED';

/** What a source throws. The list that was good before stays in use, and `watch()` tries again. */
export class SourceError extends UpsyncError {
  override readonly name = 'SourceError';
  declare readonly code: SourceErrorCode;
  /** The HTTP status, when a reply came at all. */
  readonly status: number | undefined;

  constructor(code: SourceErrorCode, message: string, options: ErrorOptions & { status?: number } = {}) {
    super(code, message, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = options.status;
  }
}

/** Makes a `SourceError` of anything a source may have thrown. */
export function toSourceError(error: unknown, description: string): SourceError {
  if (error instanceof SourceError) return error;
  return new SourceError('SOURCE_FAILED', `${description} failed unexpectedly: ${errorText(error)}`, {
    cause: error,
  });
}
