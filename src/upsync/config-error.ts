import { UpsyncError } from '../upstream/errors.ts';

/** A place in a configuration file. `line` counts from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/**
 * Something in the user's configuration that cannot be used. The message ends as nginx's own do,
 * `… in /etc/nginx/nginx.conf:12`, so that editors and people find the line.
 */
export class ConfigError extends UpsyncError {
  override readonly name: string = 'ConfigError';
  readonly file: string;
  readonly line: number;

  constructor(reason: string, place: Place, options?: ErrorOptions & { readonly code?: string }) {
    super(options?.code ?? 'CONFIG_INVALID', `${reason} in ${place.file}:${place.line}`, options);
    this.file = place.file;
    this.line = place.line;
  }
}

/** Every error found in one reading of a configuration, so that the user can fix all of them at once. */
export class ConfigErrors extends UpsyncError {
  override readonly name: string = 'ConfigErrors';
  /** In the order of the configuration; at least one. */
  readonly errors: readonly ConfigError[];

  constructor(errors: readonly ConfigError[]) {
    super('CONFIG_INVALID', errors.map((error) => error.message).join('\n'));
    this.errors = errors;
  }
}
