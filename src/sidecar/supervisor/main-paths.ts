import { existsSync } from 'node:fs';
import path from 'node:path';
import type { NginxBinary } from '../nginx-binary.ts';
import type { NginxArguments } from './arguments.ts';

/** Which configuration a command line means; both absolute. */
export interface MainPaths {
  readonly main: string;
  readonly prefix: string;
}

/** As nginx: `-p` belongs to the working directory, and a relative `-c` to the prefix. */
export function mainPaths(nginx: NginxBinary, args: NginxArguments): MainPaths {
  const prefix = path.resolve(args.prefix ?? nginx.prefix);
  return { prefix, main: path.resolve(prefix, args.confPath ?? nginx.confPath) };
}

/** What surprises with a relative `-c`: the file is here, and nginx looks for it below its prefix. Undefined otherwise. */
export function misplacedConf({ confPath }: NginxArguments, { main, prefix }: MainPaths): string | undefined {
  const here = path.resolve(confPath ?? '');
  if (confPath === undefined || path.isAbsolute(confPath) || existsSync(main) || !existsSync(here))
    return undefined;
  return `a relative -c belongs to the prefix ${prefix}, as with nginx: write -c ${here}`;
}
