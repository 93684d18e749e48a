import { Command } from 'commander';
import { checkAll } from '../check/check-all.ts';
import { formatFindings } from '../check/finding.ts';
import type { CliContext } from './command.ts';
import { addNginxOptions, type NginxFlags, toNginxArguments } from './nginx-options.ts';

/** `upsync check`. */
export function checkCommand(context: CliContext): Command {
  const command = new Command('check').description(
    'Tries everything `upsync nginx` will need: nginx, its Lua module, the configuration, each registry, the dump files.\n' +
      'Changes nothing. Ends with 1 when something would not work.',
  );
  return addNginxOptions(command)
    .addHelpText('after', '\nExample: upsync check -c /etc/nginx/nginx.conf')
    .action(async (flags: NginxFlags) => {
      const findings = await checkAll(toNginxArguments(flags), context.env);
      context.stdout(formatFindings(findings));
      context.exitCode = findings.some(({ verdict }) => verdict === 'bad') ? 1 : 0;
    });
}
