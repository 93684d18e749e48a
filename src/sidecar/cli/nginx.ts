import { Command } from 'commander';
import { runNginx } from '../supervisor/run-nginx.ts';
import { NGINX_HELP } from '../supervisor/arguments.ts';
import type { CliContext } from './command.ts';

/** `upsync nginx`, when it is reached by way of `upsync help nginx`; main.ts runs it directly otherwise. */
export function nginxCommand(context: CliContext): Command {
  const command = new Command('nginx');
  command.helpInformation = () => NGINX_HELP;
  return command
    .description('Runs the nginx of this machine with upsync directives.')
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(async (_options: unknown, called: Command) => {
      context.exitCode = await runNginx(called.args);
    });
}
