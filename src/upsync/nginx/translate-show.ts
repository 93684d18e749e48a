import { ConfigError } from '../config-error.ts';
import { toBytes } from './config/bytes.ts';
import { quoteWord } from './config/edit.ts';
import type { Visit } from './config/load.ts';
import { SHOW_ALL_FILE, SHOW_UNKNOWN_FILE, showFileName } from './file-names.ts';
import { showBlock } from './snippets.ts';
import type { TranslateScope } from './translate-scope.ts';

const SHOW_VARIABLE = 'upsync_show_file';
/** nginx's default hash bucket holds a key of about this size; a longer name is compared as a pattern. */
const MAX_MAP_KEY = 40;

/** Puts what answers `upstream_show` in its place. */
export function rewriteShow(scope: TranslateScope, { directive, file, parents }: Visit): void {
  const parent = parents.at(-1);
  if (parents[0]?.name !== 'http' || parent?.name !== 'location') {
    scope.errors.push(new ConfigError('"upstream_show" directive is not allowed here', directive));
  } else if (directive.args.length > 0 || directive.block) {
    scope.errors.push(new ConfigError('invalid number of arguments in "upstream_show" directive', directive));
  } else scope.edits.replace(file, directive, showText(scope));
}

/** In the reload mode: which file answers a query, for the start of the http block. Nothing of the query is in the path. */
export function showMap(names: readonly string[]): string {
  const lines = names.map((name) => {
    const key =
      name.length > MAX_MAP_KEY
        ? quoteWord(`~*^${name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`)
        : quoteWord(/^[~\\]|^(default|hostnames|include|volatile)$/.test(name) ? `\\${name}` : name);
    return `${toBytes(key)} ${toBytes(quoteWord(showFileName(name)))};`;
  });
  return `map $args $${SHOW_VARIABLE} { default ${SHOW_UNKNOWN_FILE}; "" ${SHOW_ALL_FILE}; ${lines.join(' ')} }`;
}

function showText({ options: { mode } }: TranslateScope): string {
  if (mode.kind === 'workers') return showBlock();
  const folder = toBytes(quoteWord(mode.showFolder));
  return `root ${folder}; types { } default_type text/plain; try_files /$${SHOW_VARIABLE} =404;`;
}
