import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/**
 * Writes a pid file at once and whole: a reader that waits for the file to appear never sees it empty. Where that cannot
 * be (a folder we may not write to, `/dev/null`), the file itself is written.
 */
export function writePidFile(file: string, pid: number): void {
  const text = `${pid}\n`;
  const temporary = `${file}.${process.pid}.tmp`;
  const existing = lstatSync(file, { throwIfNoEntry: false });
  if (existing === undefined || existing.isFile()) {
    try {
      writeFileSync(temporary, text, { mode: 0o644 });
      renameSync(temporary, file);
      return;
    } catch (error) {
      rmSync(temporary, { force: true });
      if (existing === undefined) throw error;
    }
  }
  writeFileSync(file, text);
}

/** The pid in a file; undefined when the file is missing or holds none that can be signalled. */
export function readPidFile(file: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch {
    return undefined; // Not there yet, or not ours to read: both mean "no pid known".
  }
  // 0 would signal our own process group. 1 is right in a container.
  const pid = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  return pid > 0 ? pid : undefined;
}

/** Removes a pid file, unless somebody else has written another pid into it meanwhile. */
export function removePidFile(file: string, pid: number): void {
  if (readPidFile(file) === pid) rmSync(file, { force: true });
}

/** Whether a process with this pid exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return !isZombie(pid);
}

// A dead process nobody has waited for still takes signals; for us it is gone. Without /proc it counts as alive.
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'Z';
  } catch {
    return false;
  }
}

/** When a process started, in the kernel's clock ticks: with the pid it names one process for ever. */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields after the command name, which may hold spaces: field 22 of the whole is the start time.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
