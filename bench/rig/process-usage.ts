import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100; // USER_HZ, fixed by Linux's ABI on every architecture Node runs on.

/** What a set of processes has used since each of them started. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly minorFaults: number;
  readonly contextSwitches: number;
  readonly rssMiB: number;
}

/** `pid` and all its living descendants. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = statFields(Number(entry))?.[1];
    if (parent === undefined) continue;
    const siblings = children.get(Number(parent)) ?? [];
    siblings.push(Number(entry));
    children.set(Number(parent), siblings);
  }
  const found: number[] = [];
  const queue = [pid];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    found.push(next);
    queue.push(...(children.get(next) ?? []));
  }
  return found;
}

/** Living children of an nginx master whose title says worker, those shutting down included. */
export function nginxWorkers(masterPid: number): { pid: number; shuttingDown: boolean }[] {
  return processTree(masterPid)
    .filter((pid) => pid !== masterPid)
    .map((pid) => ({ pid, title: commandLine(pid) }))
    .filter(({ title }) => title.startsWith('nginx: worker'))
    .map(({ pid, title }) => ({ pid, shuttingDown: title.includes('shutting down') }));
}

/** Sum over the processes that are still there. */
export function usageOf(pids: readonly number[]): Usage {
  let cpuTicks = 0;
  let minorFaults = 0;
  let contextSwitches = 0;
  let rssKiB = 0;
  for (const pid of pids) {
    const fields = statFields(pid);
    if (fields === undefined) continue;
    // With those of children that have ended: a reload's old workers did work as well.
    minorFaults += Number(fields[7]) + Number(fields[8]);
    for (const field of [11, 12, 13, 14]) cpuTicks += Number(fields[field]);
    const status = readOrEmpty(`/proc/${pid}/status`);
    rssKiB += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    for (const match of status.matchAll(/ctxt_switches:\s+(\d+)/g)) contextSwitches += Number(match[1]);
  }
  return { cpuSeconds: cpuTicks / TICKS_PER_SECOND, minorFaults, contextSwitches, rssMiB: rssKiB / 1024 };
}

// /proc/PID/stat after the command in parentheses: state, ppid, pgrp, session, tty, tpgid, flags, minflt, …, utime, stime.
function statFields(pid: number): string[] | undefined {
  const text = readOrEmpty(`/proc/${pid}/stat`);
  return text === '' ? undefined : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function commandLine(pid: number): string {
  return readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // The process has ended between two looks.
  }
}
