import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { type NginxMaster, startDaemonMaster, startMaster, waitForListening } from './nginx-master.ts';
import type { Runtime } from './runtime.ts';

export interface Launch {
  readonly nginx: string;
  readonly args: readonly string[];
  readonly runtime: Runtime;
  readonly daemon: boolean;
  readonly signal: AbortSignal;
  /** Takes what nginx says on its standard error while it starts; left out where its error log is standard error. */
  readonly say?: (text: string) => void;
  /** Called as soon as the process is there, before it listens. */
  readonly onSpawn: (master: NginxMaster) => void;
}

// Reading a configuration may take long (DNS names in it, huge maps), but not for ever.
const BOUND_MS = 120_000;

/**
 * Starts nginx and waits until it listens. Returns undefined when it ended instead, which it has explained on its standard
 * error by then.
 */
export async function launch(options: Launch): Promise<NginxMaster | undefined> {
  const { nginx, args, runtime, daemon, onSpawn } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(BOUND_MS)]);
  // A killed nginx leaves its socket, and the next one could not bind to it.
  rmSync(runtime.controlSocket, { force: true });
  rmSync(runtime.nginxPid, { force: true });
  const descriptor = options.say && openSync(runtime.scratch, 'w', 0o600);
  const stderr = descriptor ?? 'inherit';
  try {
    if (daemon) {
      const master = await startDaemonMaster(
        nginx,
        args,
        ['ignore', 'ignore', stderr],
        runtime.nginxPid,
        signal,
      );
      if (!('pid' in master)) return undefined;
      onSpawn(master);
      return master;
    }
    const master = await startMaster(nginx, args, ['inherit', 'inherit', stderr]);
    onSpawn(master);
    return await listening(master, runtime.nginxPid, signal);
  } finally {
    if (descriptor !== undefined) {
      closeSync(descriptor);
      options.say?.(readFileSync(runtime.scratch, 'utf8'));
      rmSync(runtime.scratch);
    }
  }
}

async function listening(
  master: NginxMaster,
  pidFile: string,
  signal: AbortSignal,
): Promise<NginxMaster | undefined> {
  try {
    return (await waitForListening(master, pidFile, signal)) ? master : undefined;
  } catch (error) {
    master.kill('SIGTERM');
    await master.ended;
    throw error;
  }
}
