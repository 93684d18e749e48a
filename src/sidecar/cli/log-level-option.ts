import { Option } from 'commander';
import { LOG_LEVELS } from '../log.ts';

/** `--log-level`, for commands that stay up. */
export function logLevelOption(): Option {
  return new Option('--log-level <level>', 'least severity that is logged')
    .choices([...LOG_LEVELS])
    .env('UPSYNC_LOG_LEVEL');
}
