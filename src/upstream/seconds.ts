import { MAX_DURATION_MS, nginxTime } from './duration.ts';
import { UpsyncError } from './errors.ts';

const MOST = Math.floor(MAX_DURATION_MS / 1000) * 1000;

/**
 * Reads an nginx time that nginx keeps in whole seconds (`7`, `30s`, `1h30m`) as milliseconds. The unit `ms` is refused
 * even for whole seconds, as nginx does for `fail_timeout`; more than 24.8 days count as 24.8 days.
 * @throws {UpsyncError} BAD_DURATION.
 */
export function parseSeconds(text: string): number {
  const ms = text.includes('ms') ? undefined : nginxTime(text);
  if (ms !== undefined) return Math.min(ms, MOST);
  const shown = JSON.stringify(text.slice(0, 40));
  throw new UpsyncError('BAD_DURATION', `${shown} is not a time in whole seconds, such as 30s`);
}
