import path from 'node:path';
import { toBytes, toText } from './config/bytes.ts';
import { quoteWord } from './config/edit.ts';
import type { Visit } from './config/load.ts';
import type { Directive } from './config/parse.ts';
import type { TranslateScope } from './translate-scope.ts';

/**
 * Loads the Lua module at the very start of the main file, where nginx still takes modules, unless the user's own
 * configuration loads it. Of several module files only the missing ones are loaded.
 * @param loaded the user's `load_module` directives.
 * @param before those of the command line, which nginx has read by then.
 */
export function addLuaModules(
  scope: TranslateScope,
  modules: readonly string[],
  loaded: readonly Visit[],
  before: readonly Directive[] = [],
): void {
  const names = new Map(loaded.map((step) => [moduleName(step.directive), step]));
  const known = new Set([...names.keys(), ...before.map(moduleName)]);
  const lua = modules.at(-1);
  if (lua === undefined || known.has(path.basename(lua))) return;
  const missing = modules.filter((file) => !known.has(path.basename(file)));
  const text = missing.map((file) => `load_module ${toBytes(quoteWord(file))};`).join(' ');
  // The Lua module needs the development kit to be there first: go behind the user's own line for it.
  const kit = modules.map((file) => names.get(path.basename(file))).find((step) => step !== undefined);
  if (kit) scope.edits.insert(kit.file, kit.directive.end, ` ${text}`);
  else scope.edits.insert(scope.config.main, 0, `${text} `);
}

function moduleName({ args }: Directive): string {
  return path.basename(toText(args[0]?.value ?? ''));
}
