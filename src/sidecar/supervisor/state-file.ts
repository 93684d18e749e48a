import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isAlive, startTime } from './pid-file.ts';

/** One process, for ever: a pid alone may belong to another one by now. */
export interface ProcessId {
  readonly pid: number;
  /** Start in the kernel's clock; missing where the kernel does not tell. */
  readonly started?: string;
}

/** What a supervisor leaves in its runtime directory for those that come after it, `upsync show` among them. */
export interface SupervisorState {
  readonly supervisor: ProcessId;
  readonly master?: ProcessId;
  readonly engine?: ProcessId;
  /** The user's main configuration file. */
  readonly main: string;
  readonly prefix: string;
  readonly pidPath: string;
}

/** The process with this pid that runs now. */
export function identify(pid: number): ProcessId {
  const started = startTime(pid);
  return started === undefined ? { pid } : { pid, started };
}

/** Whether exactly this process still runs. */
export function isRunning(id: ProcessId | undefined): id is ProcessId {
  if (id === undefined || !isAlive(id.pid)) return false;
  return id.started === undefined || startTime(id.pid) === id.started;
}

/** Writes the state whole. */
export function writeState(file: string, state: SupervisorState): void {
  const temporary = `${file}.new`;
  writeFileSync(temporary, JSON.stringify(state), { mode: 0o600 });
  renameSync(temporary, file);
}

/** The state a supervisor left; undefined when there is none that can be read. */
export function readState(file: string): SupervisorState | undefined {
  try {
    const data = JSON.parse(readFileSync(file, 'utf8')) as SupervisorState;
    return isProcessId(data.supervisor) && typeof data.main === 'string' ? data : undefined;
  } catch {
    return undefined; // None yet, or written by something else: either way nobody to take over from.
  }
}

function isProcessId(value: unknown): value is ProcessId {
  const { pid } = (value ?? {}) as { pid?: unknown };
  return typeof pid === 'number' && Number.isInteger(pid) && pid > 0;
}
