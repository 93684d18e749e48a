import { parseConfig } from '../../upsync/nginx/config/parse.ts';
import { applyEdits } from '../../upsync/nginx/config/edit.ts';
import { toBytes, toText } from '../../upsync/nginx/config/bytes.ts';
import type { NginxArguments } from './arguments.ts';

export interface MasterArguments {
  /** The translated main file. */
  readonly configPath: string;
  /** The real master's pid file, which is ours alone. */
  readonly pidFile: string;
  readonly daemon: boolean;
}

/** What `daemon` and `pid` say is ours to do: the pid file of the configuration names the supervisor. */
const OURS: ReadonlySet<string> = new Set(['daemon', 'pid']);

/** The real nginx's arguments, from those the user gave. */
export function nginxArguments(args: NginxArguments, master: MasterArguments): string[] {
  const words = ['-c', master.configPath];
  if (args.prefix !== undefined) words.push('-p', args.prefix);
  if (args.errorLog !== undefined) words.push('-e', args.errorLog);
  words.push('-g', globalDirectives(args.globals, master));
  return words;
}

/** nginx's `-g`: ours first, then the user's without `daemon` and `pid`, which nginx refuses twice. */
export function globalDirectives(given: string | undefined, master: MasterArguments): string {
  const ours = `daemon ${master.daemon ? 'on' : 'off'}; pid "${master.pidFile.replace(/[\\"]/g, '\\$&')}";`;
  const theirs = given === undefined ? '' : withoutOurs(given);
  return theirs === '' ? ours : `${ours} ${theirs}`;
}

function withoutOurs(given: string): string {
  const { text, directives } = parseConfig(toBytes(given), 'command line');
  const edits = directives
    .filter(({ name }) => OURS.has(name))
    .map(({ start, end }) => ({ start, end, text: '' }));
  return toText(applyEdits(text, edits)).trim();
}
