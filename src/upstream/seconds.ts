import { parseDuration } from './duration.ts';
import { UpsyncError } from './errors.ts';

/**
 * Reads an nginx time that nginx keeps in whole seconds (`7`, `30s`, `1h30m`) as milliseconds. The unit `ms` is refused
 * even for whole seconds, as nginx does for `fail_timeout`.
 * @throws {UpsyncError} BAD_DURATION.
 */
export function parseSeconds(text: string): number {
  if (text.includes('ms')) {
    const shown = JSON.stringify(text.slice(0, 40));
    throw new UpsyncError('BAD_DURATION', `${shown} is not a time in whole seconds, such as 30s`);
  }
  return parseDuration(text);
}
