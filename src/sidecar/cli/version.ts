import { Command } from 'commander';
import type { CliContext } from './command.ts';
import { programVersion } from './program-version.ts';

/** `upsync version`. */
export function versionCommand(context: CliContext): Command {
  return new Command('version')
    .description('Prints the version of upsync, of Node and of the nginx found.')
    .addHelpText('after', '\nExample: upsync version')
    .action(async () => {
      const { findNginx } = await import('../nginx-binary.ts');
      const nginx = await findNginx(context.env);
      const found = nginx ? `${nginx.name} (${nginx.path}), Lua module ${nginx.lua.kind}` : 'no nginx found';
      context.stdout(`upsync ${programVersion()}\nnode ${process.version}\n${found}\n`);
    });
}
