import path from 'node:path';
import { readFileSync } from 'node:fs';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import { parseServerLines, parseServerWords } from '../../upstream/server-line.ts';
import type { Server } from '../../upstream/server.ts';
import {
  type Balancing,
  METHOD_DIRECTIVES,
  parseMethod,
  ROUND_ROBIN,
  toBalancerOptions,
  UNKNOWN_METHOD_DIRECTIVES,
  withLbWord,
} from '../balancing.ts';
import { ConfigError } from '../config-error.ts';
import { dumpPathOf, parseUpsyncDirective } from '../directives.ts';
import type { UpstreamPlan } from '../upstream-plan.ts';
import { toText } from './config/bytes.ts';
import { includeTarget, type Visit, visitBlock } from './config/load.ts';
import type { Directive } from './config/parse.ts';
import type { TranslateScope } from './translate-scope.ts';

/** An `upstream` block as read; `plan` when it has an `upsync` directive. */
export interface ReadUpstream {
  readonly name: string;
  /** The `server` lines, included ones too; host names stay names. */
  readonly servers: readonly Server[];
  readonly balancing: Balancing;
  /** The method was chosen by `upsync_lb` alone, no directive of nginx's says it. */
  readonly methodByLbWord: boolean;
  readonly plan?: UpstreamPlan;
}

const OURS: ReadonlySet<string> = new Set(['upsync', 'upsync_dump_path', 'upsync_lb']);

/** Reads one `upstream` of the http block. What is wrong goes to `scope.errors`. */
export function readUpstream(scope: TranslateScope, visit: Visit): ReadUpstream {
  const { directive } = visit;
  const name = toText(directive.args[0]?.value ?? '');
  const depth = visit.parents.length + 1;
  const inside = [...visitBlock(scope.config, visit)]
    .filter(({ parents }) => parents.length === depth)
    .map((inner) => inner.directive);
  const upsync = inside.filter((one) => one.name === 'upsync');
  const dumpDirective = onlyOne(scope, inside, 'upsync_dump_path');
  const lbDirective = onlyOne(scope, inside, 'upsync_lb');
  const managed = upsync.length > 0;
  if (upsync.length > 1) scope.errors.push(new ConfigError(`"upsync" directive is duplicate`, upsync[1]!));
  if (!managed) for (const one of [dumpDirective, lbDirective]) if (one) scope.warnings.push(useless(one));

  const dumpPath = dumpPathOf(
    name,
    dumpDirective && toText(dumpDirective.args[0]!.value),
    scope.options.prefix,
  );
  const servers = readServers(scope, inside, managed, dumpPath);
  const balancing = managed ? readBalancing(scope, inside, lbDirective) : ROUND_ROBIN;
  const read = {
    name,
    servers,
    balancing,
    methodByLbWord: lbDirective !== undefined && !inside.some((one) => METHOD_DIRECTIVES.has(one.name)),
  };
  if (!managed) return read;
  try {
    const context = { file: upsync[0]!.file, line: upsync[0]!.line, folder: scope.config.folder };
    const said = parseUpsyncDirective(words(upsync[0]!), context);
    const plan: UpstreamPlan = {
      name,
      source: said.source,
      strongDependency: said.strongDependency,
      allowEmpty: said.allowEmpty,
      dumpPath,
      balancer: toBalancerOptions(balancing, said.seed),
      ...(said.slowStartMs > 0 ? { slowStartMs: said.slowStartMs } : {}),
      initial: servers,
      where: `${upsync[0]!.file}:${upsync[0]!.line}`,
    };
    return { ...read, plan };
  } catch (error) {
    report(scope, error, upsync[0]!);
    return read;
  }
}

/** True for the directives of an upsync upstream that the translation takes away. */
export function isReplaced(directive: Directive, keepMethods: boolean): boolean {
  return (
    directive.name === 'server' ||
    OURS.has(directive.name) ||
    (METHOD_DIRECTIVES.has(directive.name) && !keepMethods)
  );
}

function readServers(
  scope: TranslateScope,
  inside: readonly Directive[],
  managed: boolean,
  dumpPath: string,
): readonly Server[] {
  const servers: Server[] = [];
  const known = new Set<string>();
  const add = (server: Server): void => {
    // nginx takes an address twice; a registry could not tell the two apart.
    if (managed && known.has(server.address)) return;
    known.add(server.address);
    servers.push(server);
  };
  for (const directive of inside) {
    const failure = scope.config.includes.get(directive)?.failure;
    if (failure && !managed) scope.errors.push(failure);
    else if (failure) salvage(scope, directive, failure, dumpPath).forEach(add);
    if (directive.name !== 'server') continue;
    try {
      add(parseServerWords(words(directive)));
    } catch (error) {
      // Of a plain upstream only the text of upstream_show would lack; what is wrong in it nginx says best.
      if (!managed) continue;
      if (path.resolve(directive.file) === dumpPath) scope.warnings.push(skipped(directive, error));
      else report(scope, error, directive);
    }
  }
  return servers;
}

// A list that the registry will replace anyway must not keep nginx from starting: a file that is not there yet counts as
// empty, a damaged dump as far as it can be read.
function salvage(
  scope: TranslateScope,
  include: Directive,
  failure: ConfigError,
  dumpPath: string,
): readonly Server[] {
  const target = path.resolve(includeTarget(include, scope.config.folder));
  if (failure.code === 'CONFIG_UNREADABLE') {
    scope.warnings.push(`${failure.message}: taken as empty`);
    return [];
  }
  if (target !== dumpPath) {
    scope.errors.push(failure);
    return [];
  }
  const { servers, rejected } = parseServerLines(readFileSync(target, 'utf8'), target);
  for (const { where, reason } of rejected)
    scope.warnings.push(`a line of the dump file is skipped: ${reason} in ${where}`);
  return servers;
}

function readBalancing(
  scope: TranslateScope,
  inside: readonly Directive[],
  lbDirective: Directive | undefined,
): Balancing {
  let chosen: Balancing | undefined;
  for (const directive of inside) {
    try {
      if (UNKNOWN_METHOD_DIRECTIVES.has(directive.name))
        throw bad(`"${directive.name}" cannot balance an upstream that has the "upsync" directive`);
      if (directive.name.startsWith('balancer_by_lua'))
        throw bad(`"${directive.name}" and "upsync" cannot both balance one upstream`);
      if (!METHOD_DIRECTIVES.has(directive.name)) continue;
      const { file, line } = directive;
      if (chosen !== undefined) scope.warnings.push(`load balancing method redefined in ${file}:${line}`);
      const parsed = parseMethod(
        directive.name,
        directive.args.map((word) => word.value),
      );
      chosen = parsed.hashKey === undefined ? parsed : { ...parsed, hashKey: toText(parsed.hashKey) };
    } catch (error) {
      report(scope, error, directive);
    }
  }
  if (lbDirective) {
    try {
      return withLbWord(words(lbDirective)[0]!, chosen);
    } catch (error) {
      report(scope, error, lbDirective);
    }
  }
  return chosen ?? ROUND_ROBIN;
}

// The directive of that name with its one argument; undefined when there is none or it is wrong.
function onlyOne(scope: TranslateScope, inside: readonly Directive[], name: string): Directive | undefined {
  const [first, second] = inside.filter((directive) => directive.name === name);
  if (second) scope.errors.push(new ConfigError(`"${name}" directive is duplicate`, second));
  if (first === undefined || first.args.length === 1) return first;
  scope.errors.push(new ConfigError(`invalid number of arguments in "${name}" directive`, first));
  return undefined;
}

function words(directive: Directive): string[] {
  return directive.args.map((word) => toText(word.value));
}

function report(scope: TranslateScope, error: unknown, directive: Directive): void {
  if (error instanceof ConfigError) scope.errors.push(error);
  else if (error instanceof UpsyncError)
    scope.errors.push(new ConfigError(error.message, directive, { cause: error, code: error.code }));
  else throw error;
}

function useless({ name, file, line }: Directive): string {
  return `"${name}" does nothing in an upstream without "upsync" in ${file}:${line}`;
}

function skipped({ file, line }: Directive, error: unknown): string {
  return `a line of the dump file is skipped: ${errorText(error)} in ${file}:${line}`;
}

function bad(message: string): UpsyncError {
  return new UpsyncError('BAD_DIRECTIVE', message);
}
