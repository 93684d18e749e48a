import { Command } from 'commander';
import path from 'node:path';
import { UpsyncError } from '../../upstream/errors.ts';
import { renderTranslation, writeTranslation } from '../../upsync/nginx/render-translation.ts';
import { requireNginx } from '../nginx-binary.ts';
import { mainPaths, misplacedConf } from '../supervisor/main-paths.ts';
import { translateOnly } from '../supervisor/preparation.ts';
import { runtimeBase, runtimeFor } from '../supervisor/runtime.ts';
import type { CliContext } from './command.ts';
import { addNginxOptions, type NginxFlags, toNginxArguments } from './nginx-options.ts';

/** `upsync render`. */
export function renderCommand(context: CliContext): Command {
  const command = new Command('render').description(
    'Prints the files that the translation changes, as `nginx -T` prints files. Nothing is started.',
  );
  return addNginxOptions(command)
    .option('-o, --output <dir>', 'write the files under this folder, each at its full path, instead')
    .addHelpText('after', '\nExample: upsync render -c /etc/nginx/nginx.conf --output /tmp/translated')
    .action(async ({ output, ...flags }: NginxFlags & { readonly output?: string }) => {
      const args = toNginxArguments(flags);
      const nginx = await requireNginx(context.env);
      const paths = mainPaths(nginx, args);
      const runtime = runtimeFor(runtimeBase(context.env), paths.main, paths.prefix);
      const misplaced = misplacedConf(args, paths);
      if (misplaced !== undefined)
        throw new UpsyncError('CONFIG_UNREADABLE', `${paths.main} is not there: ${misplaced}`);
      const translation = await translateOnly(nginx, args, paths, runtime);
      for (const warning of translation.warnings) context.stderr(`upsync: warning: ${warning}\n`);
      if (output === undefined) {
        context.stdout(Buffer.from(renderTranslation(translation), 'latin1').toString('utf8'));
        return;
      }
      const written = writeTranslation(translation, path.resolve(output));
      for (const file of written) context.stdout(`${file}\n`);
      if (written.length === 0) context.stderr(`upsync: ${paths.main} has nothing to translate\n`);
    });
}
