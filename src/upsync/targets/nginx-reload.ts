import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { UpsyncError, errorText } from '../../upstream/errors.ts';

/** Which nginx is meant, and how it is checked. */
export interface ReloadOptions {
  readonly nginxBinary: string;
  readonly configPath: string;
  readonly prefix?: string;
  readonly globalDirectives?: string;
  readonly masterPid?: number;
  /** Read when there is no `masterPid`. */
  readonly pidPath?: string;
}

const CHECK_TIMEOUT_MS = 30_000;
const WORKERS_TIMEOUT_MS = 5000;

/**
 * Runs `nginx -t`.
 * @throws {UpsyncError} TARGET_NGINX_TEST with nginx's own words.
 */
export async function testConfiguration(options: ReloadOptions, signal?: AbortSignal): Promise<void> {
  const words = ['-t', '-q', '-c', options.configPath];
  if (options.prefix !== undefined) words.push('-p', options.prefix);
  if (options.globalDirectives !== undefined) words.push('-g', options.globalDirectives);
  await new Promise<void>((resolve, reject) => {
    execFile(options.nginxBinary, words, { timeout: CHECK_TIMEOUT_MS, signal }, (error, _stdout, stderr) => {
      if (!error) return resolve();
      const said = stderr.trim().split('\n').slice(-5).join('\n') || errorText(error);
      reject(
        new UpsyncError('TARGET_NGINX_TEST', `${options.nginxBinary} -t refuses: ${said}`, { cause: error }),
      );
    });
  });
}

/** The master's pid, or undefined while nginx does not run. */
export async function masterPid(options: ReloadOptions): Promise<number | undefined> {
  let pid = options.masterPid;
  if (pid === undefined && options.pidPath !== undefined) {
    const text = await readFile(options.pidPath, 'utf8').catch(() => '');
    pid = /^\s*\d{1,9}\s*$/.test(text) ? Number(text) : undefined;
  }
  if (pid === undefined || pid < 2) return undefined;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? pid : undefined;
  }
}

/**
 * Lets the master load its configuration again and waits until only workers that have it take connections.
 * @returns the pids of the new workers; empty where the system does not tell them (no /proc).
 * @throws {UpsyncError} TARGET_RELOAD when the signal cannot be sent or no new worker comes.
 */
export async function reload(pid: number, signal?: AbortSignal): Promise<readonly number[]> {
  const before = await workersOf(pid);
  try {
    process.kill(pid, 'SIGHUP');
  } catch (error) {
    throw new UpsyncError('TARGET_RELOAD', `cannot signal nginx ${pid}: ${errorText(error)}`, {
      cause: error,
    });
  }
  if (before === undefined) return [];
  const deadline = performance.now() + WORKERS_TIMEOUT_MS;
  while (performance.now() < deadline) {
    await delay(20, undefined, { signal });
    const now = (await workersOf(pid)) ?? [];
    // The old ones go on taking connections for a moment after the new ones do: nginx gives those 100 ms to get ready.
    if (now.length > 0 && !now.some((worker) => before.includes(worker))) return now;
  }
  throw new UpsyncError(
    'TARGET_RELOAD',
    `nginx ${pid} started no new workers within ${WORKERS_TIMEOUT_MS} ms; its error log says why`,
  );
}

/** Worker processes that take connections; undefined where the system does not tell. */
async function workersOf(master: number): Promise<number[] | undefined> {
  try {
    const children = await readFile(`/proc/${master}/task/${master}/children`, 'utf8');
    const pids = children.split(/\s+/).filter(Boolean).map(Number);
    const titles = await Promise.all(
      pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
    );
    return pids.filter((_pid, at) => /^nginx: worker process(?! is shutting)/.test(titles[at]!));
  } catch {
    // No /proc, or a kernel without the children file: the reload then is not verified.
    return undefined;
  }
}
