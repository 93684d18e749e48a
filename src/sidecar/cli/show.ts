import { Command } from 'commander';
import { UpsyncError } from '../../upstream/errors.ts';
import type { EngineStatus } from '../engine-status.ts';
import { type Runtime, listRuntimes, runtimeBase } from '../supervisor/runtime.ts';
import { isRunning, readState } from '../supervisor/state-file.ts';
import { askEngine } from './ask-engine.ts';
import type { CliContext } from './command.ts';
import { formatNames } from './format-names.ts';
import { formatStatus } from './format-status.ts';

interface ShowFlags {
  readonly json?: boolean;
  readonly socket?: string;
}

/** `upsync show`. */
export function showCommand(context: CliContext): Command {
  return new Command('show')
    .description('Shows the lists in force, where each comes from, and which version every worker runs.')
    .argument('[name]', 'one upstream or one name like rs.a.6379 only')
    .option('--json', 'everything, for programs')
    .option('--socket <path>', 'status socket of one engine (default: every one that runs here)')
    .addHelpText('after', '\nExample: upsync show test --json')
    .action(async (name: string | undefined, { json, socket }: ShowFlags) => {
      const sockets = socket === undefined ? runningSockets(runtimeBase(context.env)) : [socket];
      const engines = await Promise.all(sockets.map((one) => askEngine(one)));
      const chosen = engines.map((engine) => only(engine, name));
      const count = chosen.reduce((sum, { upstreams, names }) => sum + upstreams.length + (names ? 1 : 0), 0);
      if (name !== undefined && count === 0)
        throw new UpsyncError('UNKNOWN_UPSTREAM', unknown(name, engines));
      if (json) context.stdout(`${JSON.stringify(chosen, undefined, 2)}\n`);
      else context.stdout(chosen.map(format).join('\n'));
    });
}

function runningSockets(base: string): string[] {
  const runs = ({ state }: Runtime): boolean => {
    const left = readState(state);
    return isRunning(left?.supervisor) || isRunning(left?.engine);
  };
  const sockets = listRuntimes(base)
    .filter(runs)
    .map(({ statusSocket }) => statusSocket);
  if (sockets.length > 0) return sockets;
  throw new UpsyncError(
    'NOT_RUNNING',
    `no upsync runs here for this user (looked in ${base}); another place is named with UPSYNC_RUNTIME_DIR or --socket`,
  );
}

function only(engine: EngineStatus, name: string | undefined): EngineStatus {
  if (name === undefined) return engine;
  const { names, ...rest } = engine;
  const own = names?.names.filter((one) => one.name === name) ?? [];
  return {
    ...rest,
    upstreams: engine.upstreams.filter((upstream) => upstream.name === name),
    ...(names && own.length > 0 && { names: { ...names, names: own } }),
  };
}

function unknown(name: string, engines: readonly EngineStatus[]): string {
  const known = engines.flatMap(({ upstreams }) => upstreams.map((upstream) => upstream.name));
  return `no upstream ${JSON.stringify(name)} is kept in step here; there is ${known.join(', ') || 'none'}`;
}

function format(engine: EngineStatus): string {
  const { nginx, pid, upstreams, names } = engine;
  const master = nginx?.masterPid === undefined ? '' : ` of nginx ${nginx.masterPid}`;
  const now = Date.now();
  const parts = [
    `engine ${pid}${master}\n`,
    ...upstreams.map((upstream) => formatStatus(upstream, now)),
    ...(names ? [formatNames(names)] : []),
  ];
  return parts.join('\n');
}
