#!/usr/bin/env node
// Handlers first: a signal in the first milliseconds must not end the process before the rest is loaded.
let stopping = false;
let wake: () => void = () => undefined;
let reread = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => {
    stopping = true;
    wake();
  });
process.on('SIGHUP', () => {
  reread = true;
  wake();
});
// nginx's words for "open the log again". Standard error is the supervisor's to redirect; Node would open its debugger.
process.on('SIGUSR1', () => undefined);
// Whoever reads our log may go; nginx goes on, and so do we.
process.stderr.on('error', () => undefined);

/** Longest an ordered stop may take. Milliseconds. */
const STOP_MS = 900;
/** When memory of the start is given back: the lists of most registries are there by then, or else by the second time. */
const TIDY_MS = [8_000, 60_000];

/** Runs the engine for the configuration in `file` until it is stopped. Returns the exit code. */
async function main(file: string | undefined): Promise<number> {
  const { createLogger } = await import('./log.ts');
  const { errorText } = await import('../upstream/errors.ts');
  if (file === undefined) {
    process.stderr.write(
      'upsync engine: the configuration file is missing; this program is started by upsync nginx\n',
    );
    return 2;
  }
  let logger = createLogger({ component: 'engine' });
  const fatal = (error: unknown): void => {
    logger.error(
      { error: error instanceof Error ? (error.stack ?? error.message) : errorText(error) },
      'engine_failed',
    );
    process.exit(1);
  };
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', fatal);
  const { readEngineConfig } = await import('./engine-config.ts');
  const { Engine } = await import('./engine.ts');
  const { giveWay } = await import('./give-way.ts');
  const { returnMemoryLater } = await import('./return-memory.ts');
  const { tellRefused } = await import('./tell-refused.ts');
  const config = await readEngineConfig(file);
  logger = createLogger({ component: 'engine', level: config.logLevel });
  const engine = new Engine(config, { logger });
  giveWay();
  let ended = false;
  void engine.ended.then(() => {
    ended = true;
    wake();
  });
  await engine.start();
  for (const ms of TIDY_MS) returnMemoryLater(logger, ms);
  while (!stopping && !ended) {
    if (reread) {
      reread = false;
      try {
        // Another engine takes over when this one cannot change so much; the supervisor starts it.
        if (!(await engine.reload(await readEngineConfig(file)))) break;
      } catch (error) {
        tellRefused(error, logger);
      }
      continue;
    }
    await new Promise<void>((resolve) => (wake = resolve));
  }
  setTimeout(() => process.exit(0), STOP_MS).unref();
  await engine.close();
  return 0;
}

process.exit(await main(process.argv[2]));
