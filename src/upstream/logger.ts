/**
 * What the layers below the sidecar need of a logger; pino's loggers fit. The message is an event's name in snake_case
 * (`list_changed`), values travel in the fields.
 */
export interface Logger {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
  error(fields: object, event: string): void;
}

/** Drops everything. */
export const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
