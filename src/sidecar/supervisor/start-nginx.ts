import { fileURLToPath } from 'node:url';
import { RuntimeDirectory } from '../../upsync/nginx/runtime-directory.ts';
import { UpsyncError } from '../../upstream/errors.ts';
import { createLogger, defaultFormat, defaultLevel } from '../log.ts';
import type { NginxBinary } from '../nginx-binary.ts';
import type { NginxArguments } from './arguments.ts';
import { DAEMON_VARIABLE, reportListening, startDetached } from './daemonize.ts';
import { LogFile } from './log-file.ts';
import type { MainPaths } from './main-paths.ts';
import { type MainContext, readMainContext } from './main-context.ts';
import { prepare } from './preparation.ts';
import { onMasterSignals } from './process-signals.ts';
import { claimBase, leaveBase, removeStale, type Runtime, runtimeFor } from './runtime.ts';
import { lastLists, startLists } from './start-lists.ts';
import { isRunning, readState } from './state-file.ts';
import { Supervisor } from './supervisor.ts';

const ENGINE = fileURLToPath(new URL('../engine-main.js', import.meta.url));

export interface StartNginx {
  readonly nginx: NginxBinary;
  readonly args: NginxArguments;
  readonly paths: MainPaths;
  /** The command line as it was, for the detached process. */
  readonly words: readonly string[];
  /** Our own program, which takes these words. */
  readonly program: string;
}

/** Starts nginx and stands in for its master until it ends, or lets a detached process do so. Returns the exit code. */
export async function startNginx(start: StartNginx): Promise<number> {
  const { nginx, args, paths, words, program } = start;
  const detached = process.env[DAEMON_VARIABLE] !== undefined;
  // nginx and the engine have no business with it.
  delete process.env[DAEMON_VARIABLE];
  const context = readMainContext(nginx, args, paths);
  if (context.daemon && !detached) {
    const keepStderr = context.errorLog === undefined;
    return startDetached(program, words, keepStderr, (text) => void process.stderr.write(text));
  }
  return supervise(start, claimRuntime(paths), context);
}

async function supervise(
  { nginx, args, paths }: StartNginx,
  runtime: Runtime,
  { daemon, errorLog, takeConfig }: MainContext,
): Promise<number> {
  const log = daemon && errorLog !== undefined ? new LogFile(errorLog) : undefined;
  if (log) process.env['UPSYNC_LOG_FORMAT'] ??= 'nginx';
  const logger = createLogger({
    component: 'supervisor',
    level: defaultLevel(),
    format: defaultFormat(),
    ...(log && { write: (line: string) => log.write(line) }),
  });
  // Losing standard error must not end us.
  process.stderr.on('error', () => undefined);
  process.on('uncaughtException', (error) => logger.error({ error: error.stack }, 'unexpected_error'));

  const directory = new RuntimeDirectory(runtime.folder);
  const supervisor = new Supervisor({
    nginx,
    args,
    runtime,
    daemon,
    logsToFile: errorLog !== undefined,
    prepare: (signal) =>
      prepare({
        nginx,
        args,
        paths,
        runtime,
        directory,
        lists: startLists(logger),
        // At the start only: a reload reads the files as they are by then.
        config: takeConfig(),
        signal,
      }),
    lastLists: lastLists(logger),
    engineProgram: ENGINE,
    engineStderr: () => log?.descriptor ?? 'inherit',
    logger,
    print: (text) => void process.stderr.write(text),
    reopenLog: () => {
      log?.reopen();
      return log !== undefined;
    },
  });
  const release = onMasterSignals((signal) => supervisor.onSignal(signal));
  try {
    if (!(await supervisor.start())) return 1;
    await reportListening();
    return await supervisor.wait();
  } catch (error) {
    // Told to end while still starting: not a failure to explain.
    if (supervisor.isStopping) return 0;
    throw error;
  } finally {
    await supervisor.close();
    leaveBase();
    release();
  }
}

function claimRuntime({ main, prefix }: MainPaths): Runtime {
  const base = claimBase();
  const runtime = runtimeFor(base, main, prefix);
  const state = readState(runtime.state);
  if (state && state.supervisor.pid !== process.pid && isRunning(state.supervisor))
    throw new UpsyncError(
      'ALREADY_RUNNING',
      `${main} is run by upsync nginx already (pid ${state.supervisor.pid}): end it with "upsync nginx -s quit", or reload it`,
    );
  removeStale(base);
  return runtime;
}
