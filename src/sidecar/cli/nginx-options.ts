import type { Command } from 'commander';
import type { NginxArguments } from '../supervisor/arguments.ts';

/** The flags by which a command is told which nginx configuration is meant. */
export interface NginxFlags {
  readonly conf?: string;
  readonly prefix?: string;
  readonly globals?: string;
}

/** Adds `-c`, `-p` and `-g`, which mean what they mean to nginx. */
export function addNginxOptions(command: Command): Command {
  return command
    .option('-c, --conf <file>', 'nginx configuration file (default: the one compiled into nginx)')
    .option('-p, --prefix <dir>', "nginx's prefix (default: the one compiled into nginx)")
    .option('-g, --globals <directives>', 'global directives out of the configuration file');
}

/** The same as nginx's own arguments. A relative `-c` belongs to the prefix, as with nginx. */
export function toNginxArguments({ conf, prefix, globals }: NginxFlags): NginxArguments {
  return {
    help: false,
    version: false,
    build: false,
    test: false,
    dump: false,
    quiet: false,
    ...(conf !== undefined && { confPath: conf }),
    ...(prefix !== undefined && { prefix }),
    ...(globals !== undefined && { globals }),
  };
}
