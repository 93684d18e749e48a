import path from 'node:path';
import { toBytes, toText } from './config/bytes.ts';
import { endOfLuaBlock } from './config/lua-block.ts';
import type { ConfigFile, Directive, Word } from './config/parse.ts';
import type { Edits } from './edits.ts';
import { luaString } from './snippets.ts';

/** nginx reads no longer word than its buffer; a block of Lua may be of any length. */
const MAX_WORD = 4096;

/** The phases in which we run code of ours before the user's. */
export type HookPhase = 'init' | 'init_worker' | 'log';

/** The phase of a user's own hook directive, of any of its three forms; undefined for every other directive. */
export function hookPhase(name: string): HookPhase | undefined {
  const match = /^(init|init_worker|log)_by_lua(?:_block|_file)?$/.exec(name);
  return match ? (match[1] as HookPhase) : undefined;
}

/** A hook directive of our own: one line. */
export function hookDirective(phase: HookPhase, lua: string): string {
  return `${phase}_by_lua_block { ${lua} }`;
}

/**
 * Makes the user's own hook run `lua` (statements, one line) first, since nginx allows one hook of a phase in each place.
 * The user's code keeps its lines.
 */
export function prependToHook(
  edits: Edits,
  file: ConfigFile,
  directive: Directive,
  lua: string,
  prefix: string,
): void {
  const ours = toBytes(lua);
  const word = directive.args[0];
  if (directive.block) edits.insert(file, directive.block.start, ` ${ours} `);
  else if (word === undefined) return;
  else if (directive.name.endsWith('_file')) {
    const phase = hookPhase(directive.name)!;
    edits.replace(
      file,
      directive,
      hookDirective(phase, `${ours} ${toBytes(runFile(toText(word.value), prefix))}`),
    );
  } else if (isTooLong(word, ours) && fitsBlock(file, word)) {
    edits.span(file, directive.start, word.start + 1, `${directive.name}_block { ${ours} `);
    edits.span(file, word.end - 1, directive.end, ' }');
  } else if (word.quote !== '') edits.insert(file, word.start + 1, `${escapeQuoted(ours)} `);
  else {
    const raw = file.text.slice(word.start, word.end);
    // Inside quotes the user's own double quotes need an escape; what is escaped already stays.
    const quoted = raw.replace(/\\[\s\S]|"/g, (found) => (found === '"' ? '\\"' : found));
    edits.span(file, word.start, word.end, `"${escapeQuoted(ours)} ${quoted}"`);
  }
}

function isTooLong(word: Word, ours: string): boolean {
  return word.quote !== '' && word.end - word.start + escapeQuoted(ours).length > MAX_WORD - 2;
}

// Code in quotes may become a block where it holds no escapes and nothing that would end the block early.
function fitsBlock(file: ConfigFile, word: Word): boolean {
  const code = file.text.slice(word.start + 1, word.end - 1);
  return code === word.value && endOfLuaBlock(`${code} }`, 0) === code.length + 1;
}

// As lua-nginx-module does: the path belongs to nginx's prefix, and the code is compiled once for each Lua state.
function runFile(file: string, prefix: string): string {
  if (file.includes('$')) return runNamedFile(file, prefix);
  const absolute = luaString(path.resolve(prefix, file));
  const key = luaString(`upsync.file:${path.resolve(prefix, file)}`);
  return (
    `local run = package.loaded[${key}]; ` +
    `if not run then run = assert(loadfile(${absolute})); package.loaded[${key}] = run end; ` +
    `return setfenv(run, getfenv(1))()`
  );
}

// Variables of nginx in the path of a request's hook have their values by the time it runs.
function runNamedFile(file: string, prefix: string): string {
  const parts = file.match(/\$\{\w+\}|\$\w+|[^$]+|\$/g) ?? [];
  const name = parts.map((part) => {
    const variable = /^\$\{?(\w+)/.exec(part)?.[1];
    return variable === undefined ? luaString(part) : `(ngx.var[${luaString(variable)}] or "")`;
  });
  return (
    `local file = ${name.join(' .. ')}; ` +
    `if file:sub(1, 1) ~= "/" then file = ${luaString(`${prefix}/`)} .. file end; ` +
    `local key = ${luaString('upsync.file:')} .. file; local run = package.loaded[key]; ` +
    `if not run then run = assert(loadfile(file)); package.loaded[key] = run end; ` +
    `return setfenv(run, getfenv(1))()`
  );
}

function escapeQuoted(text: string): string {
  return text.replace(/[\\"']/g, '\\$&');
}
