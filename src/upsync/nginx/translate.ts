import { existsSync } from 'node:fs';
import path from 'node:path';
import { type ConfigError, ConfigErrors, ConfigError as PlacedError } from '../config-error.ts';
import { bootLists } from './boot-lists.ts';
import { toBytes } from './config/bytes.ts';
import { loadConfig, type LoadedConfig, visit, type Visit, visitBlock } from './config/load.ts';
import { Edits } from './edits.ts';
import { needsLog } from './log-need.ts';
import { hookDirective, hookPhase, type HookPhase, prependToHook } from './lua-hooks.ts';
import { addLuaModules } from './lua-modules.ts';
import { MainFacts } from './main-facts.ts';
import { httpPreamble, initLua, initWorkerLua, logLua } from './snippets.ts';
import { removeUseless, rewriteUpstream } from './translate-block.ts';
import { redirectIncludes } from './translate-includes.ts';
import type { TranslateScope } from './translate-scope.ts';
import { rewriteShow, showMap } from './translate-show.ts';
import { readUpstream, type ReadUpstream } from './translate-upstream.ts';
import type { TranslateOptions, Translation } from './translation.ts';
import { isPass, passTarget, UpstreamOrder } from './upstream-order.ts';

/** What may give a client another answer than its server's (see `BootConfig.veiled`). */
const VEILS = /^(error_page|(proxy|fastcgi|uwsgi|scgi)_cache|post_action|.*_by_lua(_block|_file)?)$/;
const UPSTREAM_ONLY: ReadonlySet<string> = new Set(['upsync', 'upsync_dump_path', 'upsync_lb']);

/**
 * Reads a user's nginx configuration and makes it run on an unpatched nginx: each `upstream` with an `upsync` directive is
 * balanced by our code in the workers (or by nginx over an included list), `upstream_show` is answered, and every other
 * byte stays. No line moves, so nginx's messages keep their line numbers. Writes nothing.
 * @throws {ConfigErrors} CONFIG_INVALID with every error found, each with file and line; ConfigError
 * CONFIG_UNREADABLE when the main file cannot be opened.
 * @param config the configuration, where it was read already.
 */
export async function translate(
  options: TranslateOptions,
  config: LoadedConfig = loadConfig(options.main),
): Promise<Translation> {
  const scope: TranslateScope = { config, options, edits: new Edits(), errors: [], warnings: [] };
  const found = walk(scope);
  const list = found.order.list();
  const plans = list.flatMap(({ block }) => (block?.plan ? [block.plan] : []));
  checkDumpPaths(scope, plans);
  if (found.http && (plans.length > 0 || found.shows.length > 0)) {
    for (const show of found.shows) rewriteShow(scope, show);
    if (options.mode.kind === 'workers') wireWorkers(scope, found);
    else if (found.shows.length > 0)
      scope.edits.insert(
        found.http.file,
        found.http.directive.block!.start,
        ` ${showMap(list.map(({ name }) => name))}`,
      );
  } else for (const show of found.shows) rewriteShow(scope, show);
  redirectIncludes(scope);
  if (scope.errors.length > 0) throw new ConfigErrors(scope.errors);

  const { boot, warnings } = await bootLists(list, options.lookup);
  return {
    main: options.main,
    mode: options.mode.kind,
    files: scope.edits.results().map(({ file, text }) => ({ original: file.path, text })),
    plans,
    boot: { ...boot, veiled: found.veiled, sparesLog: found.sparesLog },
    facts: found.main.facts(),
    warnings: [...scope.warnings, ...warnings],
  };
}

interface Found {
  readonly main: MainFacts;
  readonly order: UpstreamOrder<ReadUpstream>;
  readonly http?: Visit;
  readonly shows: readonly Visit[];
  readonly hooks: readonly Visit[];
  readonly modules: readonly Visit[];
  /** Each `lua_code_cache off`. */
  readonly uncached: readonly Visit[];
  readonly veiled: boolean;
  readonly sparesLog: boolean;
  /** Names of the directives right inside `http`. */
  readonly given: ReadonlySet<string>;
}

// One pass over the configuration in nginx's order.
function walk(scope: TranslateScope): Found {
  const main = new MainFacts(scope.options);
  const order = new UpstreamOrder<ReadUpstream>();
  const shows: Visit[] = [];
  const hooks: Visit[] = [];
  const modules: Visit[] = [];
  const uncached: Visit[] = [];
  let http: Visit | undefined;
  let veiled = false;
  let sparesLog = true;
  const given = new Set<string>();
  for (const step of visit(scope.config)) {
    const { directive, file, parents } = step;
    const { name } = directive;
    const inHttp = parents[0]?.name === 'http';
    const inUpstream = inHttp && parents[1]?.name === 'upstream';
    const failure = scope.config.includes.get(directive)?.failure;
    if (failure && !inUpstream) scope.errors.push(failure);
    if (parents.length === 0) {
      collect(scope, () => main.add(directive));
      if (scope.options.takeOut?.includes(name) && !directive.block) scope.edits.replace(file, directive);
      if (name === 'load_module') modules.push(step);
      if (name === 'http' && directive.block) http ??= step;
    }
    if (UPSTREAM_ONLY.has(name) && !(inUpstream && parents.length === 2))
      scope.errors.push(new PlacedError(`"${name}" directive is not allowed here`, directive));
    if (name === 'upstream_show') shows.push(step);
    if (!inHttp || inUpstream) continue;
    if (parents.length === 1) given.add(name);
    if (name === 'upstream' && parents.length === 1 && directive.block) upstream(scope, order, step);
    veiled ||= VEILS.test(name);
    sparesLog &&= !needsLog(directive);
    if (hookPhase(name) !== undefined) hooks.push(step);
    if (name === 'lua_code_cache' && directive.args[0]?.value.toLowerCase() === 'off') uncached.push(step);
    const pass = passTarget(directive);
    if (pass) order.mention(pass);
  }
  return { main, order, ...(http && { http }), shows, hooks, modules, uncached, veiled, sparesLog, given };
}

function upstream(scope: TranslateScope, order: UpstreamOrder<ReadUpstream>, step: Visit): void {
  const read = readUpstream(scope, step);
  if (read.name === '' || step.directive.args.length > 1) return;
  if (!order.define(read.name, read))
    scope.errors.push(new PlacedError(`duplicate upstream "${read.name}"`, step.directive));
  else if (read.plan) collect(scope, () => rewriteUpstream(scope, step, read));
  else removeUseless(scope, step);
}

// The control server and the hooks, behind the brace of `http`; hooks the user has are shared instead.
function wireWorkers(scope: TranslateScope, { main, http, hooks, modules, uncached, given }: Found): void {
  const { mode, prefix, lua } = scope.options;
  if (mode.kind !== 'workers') throw new TypeError('only the workers mode has hooks');
  for (const step of uncached) refuseUncached(scope, step);
  const code: Readonly<Record<HookPhase, string>> = {
    init: initLua(mode),
    init_worker: initWorkerLua(),
    log: logLua(),
  };
  const own = new Set<HookPhase>(['init', 'init_worker', 'log']);
  for (const { directive, file, parents } of hooks) {
    const phase = hookPhase(directive.name)!;
    if (phase !== 'log' && parents.length > 1) continue;
    prependToHook(scope.edits, file, directive, code[phase], prefix);
    if (parents.length === 1) own.delete(phase);
  }
  const preamble = toBytes(httpPreamble({ ...mode, given }));
  const rest = [...own].map((phase) => toBytes(hookDirective(phase, code[phase])));
  scope.edits.insert(http!.file, http!.directive.block!.start, ` ${[preamble, ...rest].join(' ')}`);
  if (lua.kind === 'dynamic') addLuaModules(scope, lua.modules, modules, main.commandLineModules);
}

// Each request would begin with Lua that was loaded a moment ago, by a worker that cannot read the lists.
function refuseUncached(scope: TranslateScope, { directive, file, parents }: Visit): void {
  const parent = { directive: parents.at(-1)!, file, parents: parents.slice(0, -1) };
  for (const inner of visitBlock(scope.config, parent)) {
    const { name } = inner.directive;
    if (name !== 'upstream_show' && !isPass(name)) continue;
    const reason = `"lua_code_cache off" cannot stand where requests go to an upstream ("${name}"): balancing keeps its state in Lua`;
    scope.errors.push(new PlacedError(reason, directive));
    return;
  }
}

// Two upstreams that write one file would put each other's servers into it.
function checkDumpPaths(scope: TranslateScope, plans: Translation['plans']): void {
  const owners = new Map<string, string>();
  for (const { name, dumpPath, where } of plans) {
    const owner = owners.get(dumpPath);
    const [, file = '', line = '0'] = /^(.*):(\d+)$/s.exec(where) ?? [];
    if (owner !== undefined)
      scope.errors.push(
        new PlacedError(`upstreams "${owner}" and "${name}" have the same dump file "${dumpPath}"`, {
          file,
          line: Number(line),
        }),
      );
    owners.set(dumpPath, name);
    if (!existsSync(path.dirname(dumpPath)))
      scope.warnings.push(
        `the folder of the dump file "${dumpPath}" does not exist: no list will be kept for the next start in ${where}`,
      );
  }
}

function collect(scope: TranslateScope, step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof PlacedError)) throw error;
    scope.errors.push(error satisfies ConfigError);
  }
}
