import path from 'node:path';
import { Command } from 'commander';
import type { EngineConfig } from '../engine-config.ts';
import { createLogger } from '../log.ts';
import { runSidecar } from '../run.ts';
import type { CliContext } from './command.ts';
import { logLevelOption } from './log-level-option.ts';

interface RunFlags {
  readonly config: string;
  readonly logLevel?: EngineConfig['logLevel'];
}

/** `upsync run`. */
export function runCommand(context: CliContext): Command {
  return new Command('run')
    .description(
      'The sidecar: keeps lists in step beside an nginx that somebody else starts.\n' +
        'Its own file and the nginx.conf are watched, and applied when they are valid.',
    )
    .requiredOption('-c, --config <file>', 'configuration file, upsync.yaml')
    .addOption(logLevelOption())
    .addHelpText('after', '\nExample: upsync run -c /etc/upsync/upsync.yaml')
    .action(async ({ config, logLevel }: RunFlags) => {
      await runSidecar({
        configFile: path.resolve(config),
        env: context.env,
        createLogger: (level) =>
          createLogger({ component: 'sidecar', level: logLevel ?? level, write: context.stderr }),
        signal: context.signal,
      });
    });
}
