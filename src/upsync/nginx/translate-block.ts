import path from 'node:path';
import { ConfigError } from '../config-error.ts';
import { toBytes } from './config/bytes.ts';
import { quoteWord } from './config/edit.ts';
import { includeTarget, type Visit } from './config/load.ts';
import type { ConfigFile, Directive } from './config/parse.ts';
import { includeFileName } from './file-names.ts';
import { balancerBlock } from './snippets.ts';
import type { TranslateScope } from './translate-scope.ts';
import { isReplaced, type ReadUpstream } from './translate-upstream.ts';

/**
 * Rewrites one `upstream` in place: what chose the servers and the method goes, our balancer (or an include of the list)
 * comes right behind the brace, before `keepalive`, and every other directive stays where it is.
 */
export function rewriteUpstream(scope: TranslateScope, visit: Visit, upstream: ReadUpstream): void {
  const { directive, file } = visit;
  const native = scope.options.mode.kind === 'reload';
  scope.edits.insert(
    file,
    directive.block!.start,
    ` ${toBytes(native ? nativeHead(scope, visit, upstream) : balancerBlock(upstream.name))}`,
  );
  const keepMethods = native;
  for (const inner of directive.block!.directives) {
    if (isReplaced(inner, keepMethods)) scope.edits.replace(file, inner);
    else if (inner.name === 'include' && holdsReplaced(scope, inner, upstream, keepMethods))
      scope.edits.replace(file, inner, remainder(scope, inner, keepMethods));
  }
}

/** Takes our directives out of an `upstream` where they do nothing (nginx-upsync-module accepts them there). */
export function removeUseless(scope: TranslateScope, { directive, file }: Visit): void {
  for (const inner of directive.block?.directives ?? [])
    if (inner.name === 'upsync_dump_path' || inner.name === 'upsync_lb') scope.edits.replace(file, inner);
}

function nativeHead(scope: TranslateScope, { directive }: Visit, upstream: ReadUpstream): string {
  const { method } = upstream.balancing;
  if (scope.options.mode.kind !== 'reload') throw new TypeError('only the reload mode includes lists');
  if (method === 'ewma' || method === 'bounded_hash')
    scope.errors.push(
      new ConfigError(`"${method}" needs nginx's Lua module, which is not installed`, directive),
    );
  const include = `include ${quoteWord(path.join(scope.options.mode.includeFolder, includeFileName(upstream.name)))};`;
  const byWord = upstream.methodByLbWord && method !== 'round_robin' ? ` ${method};` : '';
  return include + byWord;
}

// An include that brings something, but none of what is replaced, stays as it is.
function holdsReplaced(
  scope: TranslateScope,
  include: Directive,
  upstream: ReadUpstream,
  keepMethods: boolean,
): boolean {
  const included = scope.config.includes.get(include);
  if (included === undefined) return false;
  if (included.failure !== undefined) return true;
  if (path.resolve(includeTarget(include, scope.config.folder)) === upstream.plan?.dumpPath) return true;
  const inside = included.files.flatMap(({ directives }) => directives);
  // What is empty now may be a list by the time nginx reads it.
  return (
    inside.length === 0 ||
    inside.some(
      (inner) =>
        isReplaced(inner, keepMethods) ||
        (inner.name === 'include' && holdsReplaced(scope, inner, upstream, keepMethods)),
    )
  );
}

// The directives of an included file that must stay (a `keepalive` beside the servers), on one line.
function remainder(scope: TranslateScope, include: Directive, keepMethods: boolean): string {
  const files = scope.config.includes.get(include)?.files ?? [];
  const kept = files.flatMap((file) =>
    file.directives
      .filter((inner) => !isReplaced(inner, keepMethods))
      .map((inner) =>
        inner.name === 'include' ? remainder(scope, inner, keepMethods) : oneLine(file, inner),
      ),
  );
  return kept.filter((text) => text !== '').join(' ');
}

function oneLine(file: ConfigFile, directive: Directive): string {
  if (directive.block) {
    throw new ConfigError(`"${directive.name}" cannot stand in a file that also lists servers`, directive);
  }
  const raw = directive.args.map((word) => file.text.slice(word.start, word.end));
  return `${[directive.name, ...raw].join(' ')};`;
}
