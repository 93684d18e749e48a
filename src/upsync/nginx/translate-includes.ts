import { realpathSync } from 'node:fs';
import path from 'node:path';
import { toBytes } from './config/bytes.ts';
import { quoteWord } from './config/edit.ts';
import { isGlob } from './config/glob.ts';
import { includeTarget } from './config/load.ts';
import type { TranslateScope } from './translate-scope.ts';

/**
 * Makes absolute includes of changed files relative, since the changed files stand elsewhere: in a mirror of the folders,
 * where a relative path leads to the changed file. A file that gets such a new include counts as changed in turn.
 */
export function redirectIncludes({ config, edits }: TranslateScope): void {
  let again = true;
  while (again) {
    again = false;
    for (const [directive, { files }] of config.includes) {
      const word = directive.args[0]!;
      const file = config.files.get(directive.file)!;
      if (!word.value.startsWith('/') || edits.isRemoved(directive) || edits.isRedirected(directive))
        continue;
      if (!files.some((included) => edits.isChanged(included))) continue;
      const target = relativePattern(includeTarget(directive, config.folder), config.folder);
      edits.redirect(file, directive, word, quoteWord(toBytes(target)));
      again = true;
    }
  }
}

/** The folder without symbolic links, as far as it exists: the mirror is made of such folders. */
export function realFolder(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    const parent = path.dirname(folder);
    return parent === folder ? folder : path.join(realFolder(parent), path.basename(folder));
  }
}

function relativePattern(target: string, folder: string): string {
  const segments = target.split('/');
  const fixed = segments.findIndex((segment) => isGlob(segment));
  const cut = fixed === -1 ? segments.length - 1 : fixed;
  const start = realFolder(segments.slice(0, cut).join('/') || '/');
  const way = path.relative(realFolder(folder), start);
  return [way, ...segments.slice(cut)].filter((part) => part !== '').join('/');
}
