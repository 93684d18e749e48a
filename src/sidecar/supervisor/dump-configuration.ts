import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ConfigError } from '../../upsync/config-error.ts';
import { expandGlob, isGlob } from '../../upsync/nginx/config/glob.ts';
import { includeTarget } from '../../upsync/nginx/config/load.ts';
import { type Directive, parseConfig } from '../../upsync/nginx/config/parse.ts';

/**
 * What `nginx -T` prints of a configuration: the user's own files, data that `types` or `map` include as well, each once with
 * its name, in the order they are read. Byte for byte, hence no text. For a configuration that nginx takes.
 */
export function dumpConfiguration(main: string): Buffer {
  const folder = path.posix.dirname(main);
  const files = new Map<string, string>();
  const read = (file: string): void => {
    if (files.has(file)) return;
    let text: string;
    try {
      text = readFileSync(file, 'latin1');
    } catch {
      return; // A list that is not there yet counts as empty.
    }
    files.set(file, text);
    try {
      follow(parseConfig(text, file).directives);
    } catch (error) {
      // A damaged list counts as far as it can be read.
      if (!(error instanceof ConfigError)) throw error;
    }
  };
  const follow = (directives: readonly Directive[]): void => {
    for (const directive of directives) {
      if (directive.block) follow(directive.block.directives);
      else if (directive.name === 'include' && directive.args.length === 1) {
        const target = includeTarget(directive, folder);
        for (const file of isGlob(target) ? expandGlob(target) : [target]) read(file);
      }
    }
  };
  read(main);
  const parts = [...files].map(([name, text]) => [
    Buffer.from(`# configuration file ${name}:\n`),
    Buffer.from(`${text}\n`, 'latin1'),
  ]);
  return Buffer.concat(parts.flat());
}
