import { UpsyncError } from '../../upstream/errors.ts';

export type NginxSignal = 'stop' | 'quit' | 'reopen' | 'reload';

/** nginx's command line, taken apart. A value given twice: the last one counts, as with nginx. */
export interface NginxArguments {
  readonly help: boolean;
  /** `-v`. */
  readonly version: boolean;
  /** `-V`: the version and how it was built. */
  readonly build: boolean;
  /** `-t`, and `-T` which includes it. */
  readonly test: boolean;
  readonly dump: boolean;
  readonly quiet: boolean;
  readonly signal?: NginxSignal;
  readonly confPath?: string;
  readonly prefix?: string;
  readonly errorLog?: string;
  readonly globals?: string;
}

const SIGNALS: readonly NginxSignal[] = ['stop', 'quit', 'reopen', 'reload'];
// The options with a value, and how nginx words a missing one.
const VALUES = {
  c: ['confPath', 'file name'],
  p: ['prefix', 'directory name'],
  e: ['errorLog', 'file name'],
  g: ['globals', 'parameter'],
  s: ['signal', 'parameter'],
} as const;
const FLAGS = {
  '?': ['help'],
  h: ['help'],
  v: ['version'],
  V: ['build'],
  t: ['test'],
  T: ['test', 'dump'],
  q: ['quiet'],
} as const;

type Flag = 'help' | 'version' | 'build' | 'test' | 'dump' | 'quiet';
type Value = 'confPath' | 'prefix' | 'errorLog' | 'globals' | 'signal';

/**
 * Reads nginx's arguments in every spelling nginx takes: `-p dir`, `-pdir`, `-tq`, `-tc file`.
 * @throws {UpsyncError} NGINX_USAGE in nginx's own words: `invalid option: "x"`, `option "-c" requires file name`.
 */
export function parseNginxArguments(words: readonly string[]): NginxArguments {
  const flags: Record<Flag, boolean> = {
    help: false,
    version: false,
    build: false,
    test: false,
    dump: false,
    quiet: false,
  };
  const values: { [K in Value]?: string } = {};
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (!word.startsWith('-')) throw usage(`invalid option: "${word}"`);
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!;
      if (isKey(FLAGS, letter)) {
        for (const flag of FLAGS[letter]) flags[flag] = true;
        continue;
      }
      if (!isKey(VALUES, letter)) throw usage(`invalid option: "${letter}"`);
      const [name, what] = VALUES[letter];
      const value = word.slice(at + 1) || words[++index];
      if (value === undefined || value === '') throw usage(`option "-${letter}" requires ${what}`);
      values[name] = value;
      break;
    }
  }
  const { signal, ...rest } = values;
  if (signal === undefined) return { ...flags, ...rest };
  const known = SIGNALS.find((one) => one === signal);
  if (known === undefined) throw usage(`invalid option: "-s ${signal}"`);
  return { ...flags, ...rest, signal: known };
}

/** What `upsync nginx -h` prints: nginx's options, and what is ours. */
export const NGINX_HELP = `Usage: upsync nginx [-?hvVtTq] [-s signal] [-p prefix]
                    [-e filename] [-c filename] [-g directives]

Runs the nginx of this machine with upsync directives. Options are nginx's own:
  -?,-h         : this help
  -v            : show nginx's version and exit
  -V            : show nginx's version and configure options, then exit
  -t            : test configuration and exit
  -T            : test configuration, dump it and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a running one: stop, quit, reopen, reload
  -p prefix     : set prefix path
  -e filename   : set error log file
  -c filename   : set configuration file
  -g directives : set global directives out of configuration file

Environment:
  UPSYNC_NGINX        the nginx to run (default: found on PATH and in the usual folders)
  UPSYNC_RUNTIME_DIR  where the translated configuration and the sockets are kept
  UPSYNC_LOG_LEVEL    debug, info, warn, error or silent (default: info)
  UPSYNC_LOG_FORMAT   json, text or nginx (default: text on a terminal, else json)

Example: upsync nginx -c /etc/nginx/nginx.conf -g 'daemon off;'
`;

function isKey<T extends object>(table: T, key: string): key is string & keyof T {
  return Object.hasOwn(table, key);
}

function usage(message: string): UpsyncError {
  return new UpsyncError('NGINX_USAGE', message);
}
