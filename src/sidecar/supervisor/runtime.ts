import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { UpsyncError } from '../../upstream/errors.ts';
import { isRunning, readState } from './state-file.ts';

/** Where one `upsync nginx` keeps what only it and its nginx need. Every path is fixed over reloads. */
export interface Runtime {
  /** Others may pass through it, not look into it. */
  readonly folder: string;
  /** For its owner alone; the sockets and whatever holds a token are in it. */
  readonly private: string;
  /** Unix socket of the workers' control server. */
  readonly controlSocket: string;
  /** Unix socket on which the engine says how it does. */
  readonly statusSocket: string;
  /** The real master's pid. */
  readonly nginxPid: string;
  readonly engineConfig: string;
  readonly state: string;
  /** Include files of an nginx without Lua. */
  readonly includes: string;
  /** Its `upstream_show` texts, which nginx's workers, another user, read. */
  readonly shows: string;
  /** nginx's words of one `nginx -t`. */
  readonly scratch: string;
}

// A unix socket's path has 107 bytes at most.
const LONGEST_SOCKET = 107;

/** The folder that holds the runtime folders: `UPSYNC_RUNTIME_DIR`, else `/run/upsync` or the user's own place. */
export function runtimeBase(
  env: NodeJS.ProcessEnv = process.env,
  uid: number = process.getuid?.() ?? 0,
): string {
  const given = env['UPSYNC_RUNTIME_DIR'];
  if (given !== undefined && given !== '') return path.resolve(given);
  if (uid === 0) return '/run/upsync';
  const own = env['XDG_RUNTIME_DIR'];
  return own?.startsWith('/') ? path.join(own, 'upsync') : temporaryBase(uid);
}

function temporaryBase(uid: number): string {
  return `/tmp/upsync-${uid}`;
}

/**
 * The paths for one configuration: the same file and prefix give the same folder, so that a second start finds the first.
 * @throws {UpsyncError} RUNTIME_DIRECTORY when the base is too long for a unix socket's path.
 */
export function runtimeFor(base: string, main: string, prefix: string): Runtime {
  const name = createHash('sha256').update(`${main}\0${prefix}`).digest('hex').slice(0, 12);
  const runtime = runtimeIn(path.join(base, name));
  if (Buffer.byteLength(runtime.controlSocket) > LONGEST_SOCKET)
    throw new UpsyncError(
      'RUNTIME_DIRECTORY',
      `the runtime directory ${base} is too long for a unix socket: name a shorter one with UPSYNC_RUNTIME_DIR`,
    );
  return runtime;
}

/** The paths inside a runtime folder. */
export function runtimeIn(folder: string): Runtime {
  const secret = (name: string): string => path.join(folder, 'private', name);
  return {
    folder,
    private: path.join(folder, 'private'),
    controlSocket: secret('control.sock'),
    statusSocket: secret('status.sock'),
    nginxPid: secret('nginx.pid'),
    engineConfig: secret('engine.json'),
    state: secret('supervisor.json'),
    includes: secret('include'),
    shows: path.join(folder, 'show'),
    scratch: secret('nginx-t.log'),
  };
}

/** Makes the folder that holds the runtime folders. */
export function makeBase(base: string): void {
  try {
    mkdirSync(base, { recursive: true, mode: 0o711 });
  } catch (error) {
    throw new UpsyncError(
      'RUNTIME_DIRECTORY',
      `cannot make the runtime directory ${base}: name another one with UPSYNC_RUNTIME_DIR`,
      { cause: error },
    );
  }
}

/**
 * Makes the folder of `runtimeBase`. The one in `/tmp` is believed only when it is ours: anybody could have made it first.
 * @throws {UpsyncError} RUNTIME_DIRECTORY when it cannot be made, or belongs to another user.
 */
export function claimBase(
  env: NodeJS.ProcessEnv = process.env,
  uid: number = process.getuid?.() ?? 0,
): string {
  const base = runtimeBase(env, uid);
  makeBase(base);
  if (base === temporaryBase(uid) && lstatSync(base).uid !== uid)
    throw new UpsyncError(
      'RUNTIME_DIRECTORY',
      `the runtime directory ${base} belongs to another user: name another one with UPSYNC_RUNTIME_DIR`,
    );
  return base;
}

/** Removes the folder of `runtimeBase` when it is empty and nobody named it: an ordered end leaves nothing behind. */
export function leaveBase(env: NodeJS.ProcessEnv = process.env, uid?: number): void {
  if (isNamed(env)) return;
  try {
    rmdirSync(runtimeBase(env, uid));
  } catch {
    // In use by another one, or gone already.
  }
}

function isNamed(env: NodeJS.ProcessEnv): boolean {
  return (env['UPSYNC_RUNTIME_DIR'] ?? '') !== '';
}

/** Removes what supervisors left behind that are gone together with their nginx. Never fails: it is only tidying. */
export function removeStale(base: string): void {
  for (const { folder, state: file } of listRuntimes(base)) {
    const state = readState(file);
    if (state === undefined || isRunning(state.supervisor) || isRunning(state.master)) continue;
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // Somebody else's, or busy: the next start tries again.
    }
  }
}

/** The runtime folders below a base; empty when there is none. */
export function listRuntimes(base: string): Runtime[] {
  try {
    return readdirSync(base, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && /^[0-9a-f]{12}$/.test(entry.name))
      .map((entry) => runtimeIn(path.join(base, entry.name)));
  } catch {
    return [];
  }
}
