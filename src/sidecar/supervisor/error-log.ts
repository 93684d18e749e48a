import path from 'node:path';
import { toBytes, toText } from '../../upsync/nginx/config/bytes.ts';
import { loadConfig, visit } from '../../upsync/nginx/config/load.ts';
import { parseConfig } from '../../upsync/nginx/config/parse.ts';
import type { NginxArguments } from './arguments.ts';
import type { MainPaths } from './main-paths.ts';

/**
 * The file of nginx's main error log: the first one named by `-g` or the configuration, else `-e`, else what was compiled
 * in. Undefined when that is not a file (`stderr`, syslog).
 */
export function errorLogFile(
  { main, prefix }: MainPaths,
  args: NginxArguments,
  compiledIn: string,
): string | undefined {
  const names: string[] = [];
  for (const directive of parseConfig(toBytes(args.globals ?? ''), 'command line').directives)
    if (directive.name === 'error_log' && directive.args[0]) names.push(toText(directive.args[0].value));
  for (const { directive, parents } of visit(loadConfig(main)))
    if (parents.length === 0 && directive.name === 'error_log' && directive.args[0])
      names.push(toText(directive.args[0].value));
  const name = names[0] ?? args.errorLog ?? compiledIn;
  return name === 'stderr' || /^(syslog|memory):/.test(name) ? undefined : path.resolve(prefix, name);
}
