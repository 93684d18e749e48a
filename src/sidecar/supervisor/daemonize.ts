import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Set for the detached process, so that it does not detach again. */
export const DAEMON_VARIABLE = 'UPSYNC_DAEMON';
const READY = 'listening';

/**
 * Runs this program again, detached from the terminal, and waits until it says that nginx listens or until it ends.
 * Returns the exit code for the first process; what the detached one had to say until then is printed.
 */
export async function startDetached(
  program: string,
  words: readonly string[],
  keepStderr: boolean,
  print: (text: string) => void,
): Promise<number> {
  // Whoever reads our standard error to its end must not wait for the daemon: it writes to a file until it is up.
  const folder = mkdtempSync(path.join(tmpdir(), 'upsync-start-'));
  const file = path.join(folder, 'stderr');
  const descriptor = openSync(file, 'a', 0o600);
  try {
    const child = spawn(process.execPath, [program, ...words], {
      detached: true,
      stdio: ['ignore', 'ignore', keepStderr ? 'inherit' : descriptor, 'ipc'],
      env: { ...process.env, [DAEMON_VARIABLE]: '1' },
    });
    const code = await new Promise<number>((resolve) => {
      child.once('message', (message) => message === READY && resolve(0));
      child.once('exit', (exitCode) => resolve(exitCode ?? 1));
      child.once('error', (error) => {
        print(`upsync: cannot become a daemon: ${error.message}\n`);
        resolve(1);
      });
    });
    print(readFileSync(file, 'utf8'));
    if (child.connected) child.disconnect();
    child.unref();
    return code;
  } finally {
    closeSync(descriptor);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Tells the first process that it may end. */
export async function reportListening(): Promise<void> {
  if (!process.send) return;
  await new Promise<void>((resolve) => process.send!(READY, undefined, undefined, () => resolve()));
  if (process.connected) process.disconnect();
}
