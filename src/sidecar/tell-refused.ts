import { errorText } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';

/** Says that a change of the configuration is not in force. */
export function tellRefused(error: unknown, logger: Logger): void {
  logger.error({ error: errorText(error), next: 'the old configuration goes on' }, 'configuration_refused');
}
