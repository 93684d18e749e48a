import { readlinkSync } from 'node:fs';
import path from 'node:path';
import { toBytes, toText } from '../../upsync/nginx/config/bytes.ts';
import { loadConfig, type LoadedConfig, visit } from '../../upsync/nginx/config/load.ts';
import { type Directive, parseConfig } from '../../upsync/nginx/config/parse.ts';
import { MainFacts } from '../../upsync/nginx/main-facts.ts';
import type { NginxBinary } from '../nginx-binary.ts';
import type { NginxArguments } from './arguments.ts';
import type { MainPaths } from './main-paths.ts';
import { translateOptions } from './preparation.ts';

/** What the main context (`-g` included) says that matters before anything is translated. */
export interface MainContext {
  readonly daemon: boolean;
  /** Absolute. */
  readonly pidPath: string;
  /** The file of the main error log; undefined when that is no file: `stderr`, syslog, a device. */
  readonly errorLog: string | undefined;
  /**
   * Hands over the configuration it was found in, once, and keeps nothing of it: thousands of upstreams are not read twice
   * before nginx listens, and not held in memory afterwards.
   */
  readonly takeConfig: () => LoadedConfig | undefined;
}

/**
 * Reads the main context of the user's configuration.
 * @throws {ConfigErrors} CONFIG_INVALID, CONFIG_UNREADABLE as nginx words them.
 */
export function readMainContext(nginx: NginxBinary, args: NginxArguments, paths: MainPaths): MainContext {
  const facts = new MainFacts(translateOptions(nginx, args, paths));
  // nginx writes its standard error to the first of them, those of the command line before those of the file.
  const logs = parseConfig(toBytes(args.globals ?? ''), 'command line').directives.flatMap(errorLogs);
  let config: LoadedConfig | undefined = loadConfig(paths.main);
  for (const { directive, parents } of visit(config)) {
    if (parents.length > 0) continue;
    facts.add(directive);
    logs.push(...errorLogs(directive));
  }
  const { daemon, pid } = facts.facts();
  const name = logs[0] ?? args.errorLog ?? nginx.errorLogPath;
  const isFile = name !== 'stderr' && !/^(syslog|memory):/.test(name);
  const errorLog = path.resolve(paths.prefix, name);
  const takeConfig = (): LoadedConfig | undefined => {
    const taken = config;
    config = undefined;
    return taken;
  };
  const logPath = isFile && !leadsToDevice(errorLog) ? errorLog : undefined;
  return { daemon, pidPath: pid, errorLog: logPath, takeConfig };
}

// Container images make the log a link to /dev/stderr, so that it leads to wherever nginx's standard error leads.
function leadsToDevice(file: string): boolean {
  let place = file;
  for (let links = 0; links < 10; links++) {
    if (/^\/(dev|proc)\//.test(place)) return true;
    try {
      place = path.resolve(path.dirname(place), readlinkSync(place));
    } catch {
      return false; // No link, or nothing yet.
    }
  }
  return false;
}

function errorLogs({ name, args }: Directive): string[] {
  return name === 'error_log' && args[0] ? [toText(args[0].value)] : [];
}
