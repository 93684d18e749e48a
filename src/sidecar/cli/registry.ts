import { Command } from 'commander';
import { createEmbeddedRegistry } from '../../discovery/embedded/registry.ts';
import { UpsyncError } from '../../upstream/errors.ts';
import type { LogLevel } from '../engine-config.ts';
import { createLogger, defaultLevel } from '../log.ts';
import type { CliContext } from './command.ts';
import { logLevelOption } from './log-level-option.ts';
import { untilAborted } from './until-aborted.ts';

interface RegistryFlags {
  readonly listen: string;
  readonly data?: string;
  readonly logLevel?: LogLevel;
}

/** `upsync registry`. */
export function registryCommand(context: CliContext): Command {
  return new Command('registry')
    .description(
      'Runs a registry that speaks the HTTP API of Consul: KV, catalog, health, agent services.\n' +
        'For development, demos and a single machine. Production is Consul.',
    )
    .option('--listen <address>', 'host:port to listen on; port 0 takes a free one', '127.0.0.1:8500')
    .option('--data <file>', 'keep everything in this file, written whole after each change')
    .addOption(logLevelOption())
    .addHelpText(
      'after',
      '\nExample: upsync registry --listen 127.0.0.1:8500 --data /var/lib/upsync/registry.json',
    )
    .action(async ({ listen, data, logLevel }: RegistryFlags) => {
      const logger = createLogger({
        component: 'registry',
        level: logLevel ?? defaultLevel(context.env),
        write: context.stderr,
      });
      const registry = await createEmbeddedRegistry({
        listen,
        logger,
        ...(data !== undefined && { dataFile: data }),
      }).catch((error: unknown) => {
        if (!(error instanceof UpsyncError) || error.code !== 'REGISTRY_BAD_LISTEN') throw error;
        throw new UpsyncError('USAGE', `--listen: ${error.message}`, { cause: error });
      });
      context.stdout(`registry listens on ${registry.url}\n`);
      await untilAborted(context.signal);
      await registry.close();
    });
}
