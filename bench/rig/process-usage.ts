import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100; // USER_HZ, fixed by Linux's ABI on every architecture Node runs on.

/** What a set of processes has used since each of them started. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly minorFaults: number;
  readonly rssMiB: number;
}

/** `pid` and all its living descendants. */
export function processTree(pid: number): number[] {
  const found: number[] = [];
  const queue = [pid];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    found.push(next);
    queue.push(...childrenOf(next));
  }
  return found;
}

// The kernel's own list, which costs microseconds: a walk over all of /proc would disturb what is measured.
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return []; // The process has ended between two looks.
  }
}

/** The nginx master among these processes, by its title. */
export function nginxMaster(pids: readonly number[]): number | undefined {
  return pids.find((pid) => commandLine(pid).startsWith('nginx: master'));
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
  let rssKiB = 0;
  for (const pid of pids) {
    const fields = statFields(pid);
    if (fields === undefined) continue;
    // With those of children that have ended: a reload's old workers did work as well.
    minorFaults += Number(fields[7]) + Number(fields[8]);
    for (const field of [11, 12, 13, 14]) cpuTicks += Number(fields[field]);
    const status = readOrEmpty(`/proc/${pid}/status`);
    rssKiB += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return { cpuSeconds: cpuTicks / TICKS_PER_SECOND, minorFaults, rssMiB: rssKiB / 1024 };
}

export interface Memory {
  readonly rssMiB: number;
  /** Of it what is not mapped from files: heaps, stacks, shared memory left aside. */
  readonly anonymousMiB: number;
}

/** Sum over the processes that are still there. */
export function memoryOf(pids: readonly number[]): Memory {
  const texts = pids.map((pid) => readOrEmpty(`/proc/${pid}/status`));
  const sum = (pattern: RegExp): number =>
    texts.reduce((total, text) => total + Number(pattern.exec(text)?.[1] ?? 0), 0) / 1024;
  return { rssMiB: sum(/^VmRSS:\s+(\d+)/m), anonymousMiB: sum(/^RssAnon:\s+(\d+)/m) };
}

/** Memory of these processes with each shared page counted once among those that share it: what goes when they go. */
export function proportionalMiB(pids: readonly number[]): number {
  const kibibytes = pids.map(
    (pid) => /^Pss:\s+(\d+)/m.exec(readOrEmpty(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0,
  );
  return kibibytes.reduce<number>((sum, value) => sum + Number(value), 0) / 1024;
}

/** CPU of these processes without that of children that have ended. */
export function ownCpuSeconds(pids: readonly number[]): number {
  const ticks = pids
    .map((pid) => statFields(pid) ?? [])
    .map((fields) => Number(fields[11] ?? 0) + Number(fields[12] ?? 0));
  return ticks.reduce((sum, count) => sum + count, 0) / TICKS_PER_SECOND;
}

/** How often the kernel took a process off a core or put it back since it started. */
export function contextSwitchesOf(pid: number): number {
  const status = readOrEmpty(`/proc/${pid}/status`);
  return [...status.matchAll(/ctxt_switches:\s+(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
}

// /proc/PID/stat after the command in parentheses: state, ppid, pgrp, session, tty, tpgid, flags, minflt, …, utime, stime.
function statFields(pid: number): string[] | undefined {
  const text = readOrEmpty(`/proc/${pid}/stat`);
  return text === '' ? undefined : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** The title of a process; empty when it has ended. */
export function commandLine(pid: number): string {
  return readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // The process has ended between two looks.
  }
}
