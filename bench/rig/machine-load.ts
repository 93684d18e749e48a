import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Percent of the machine's CPU time. */
export interface MachineLoad {
  /** Used by something else, before anything of the bench ran. */
  readonly busyBefore: number;
  /** Taken by the host of a virtual machine while the bench ran. */
  readonly stolen: number;
}

/** A moment of `/proc/stat`, in its ticks. */
export interface CpuTicks {
  readonly busy: number;
  readonly stolen: number;
  readonly all: number;
}

const LOOK_MS = 2000;
const PERCENT = 100;

/** Reads the `cpu` line: user nice system idle iowait irq softirq steal (guests are in user already). */
export function parseCpuTicks(text: string): CpuTicks {
  const line = /^cpu +(.+)$/m.exec(text)?.[1] ?? '';
  const ticks = line.split(' ').map(Number).slice(0, 8);
  const all = ticks.reduce((sum, count) => sum + count, 0);
  const [idle = 0, waiting = 0] = ticks.slice(3, 5);
  return { busy: all - idle - waiting, stolen: ticks[7] ?? 0, all };
}

/** Looks for two seconds at what else the machine does; call the result when the bench has run. */
export async function watchMachine(): Promise<() => MachineLoad> {
  const first = now();
  await delay(LOOK_MS);
  const begun = now();
  const busyBefore = share(begun.busy - first.busy, begun.all - first.all);
  return () => {
    const ended = now();
    return { busyBefore, stolen: share(ended.stolen - begun.stolen, ended.all - begun.all) };
  };
}

function now(): CpuTicks {
  return parseCpuTicks(readFileSync('/proc/stat', 'utf8'));
}

function share(part: number, all: number): number {
  return all > 0 ? (part / all) * PERCENT : 0;
}
