import type { Front } from './front.ts';
import { contextSwitchesOf, ownCpuSeconds, processTree, proportionalMiB, usageOf } from './process-usage.ts';

/** What a front's processes did while it was watched. */
export interface Watched {
  readonly workersStarted: number;
  /** Most old workers at one time. */
  readonly oldWorkers: number;
  /** Memory of the old workers still there at the end, shared pages counted in proportion. */
  readonly oldWorkersMiB: number;
  readonly peakRssMiB: number;
  /** All processes of the variant. */
  readonly cpuSeconds: number;
  /** Those of them that are not nginx: what follows the registry. */
  readonly followerCpuSeconds: number;
  /** The registry's own, which is not the variant's. */
  readonly registryCpuSeconds: number;
  readonly minorFaults: number;
  /** Of workers that ended, as far as they were last seen. */
  readonly contextSwitches: number;
}

const PERIOD_MS = 400;

/** Looks at the processes now and then: seldom, since looking disturbs. */
export function watchFront(front: Front): { stop(): Watched } {
  const registry = front.registry === undefined ? [] : [front.registry.pid];
  const registryBegun = usageOf(registry);
  const followers = followersOf(front);
  const followersBegun = ownCpuSeconds(followers);
  const begun = usageOf(front.pids());
  const workers = new Set(front.workers().map(({ pid }) => pid));
  const atFirst = workers.size;
  const switches = new Map<number, number>();
  const switchesBefore = new Map(front.pids().map((pid) => [pid, contextSwitchesOf(pid)]));
  let oldWorkers = 0;
  let peakRssMiB = 0;
  const look = (): number[] => {
    const now = front.workers();
    for (const { pid } of now) workers.add(pid);
    const old = now.filter(({ shuttingDown }) => shuttingDown).map(({ pid }) => pid);
    oldWorkers = Math.max(oldWorkers, old.length);
    const pids = front.pids();
    for (const pid of pids) switches.set(pid, contextSwitchesOf(pid));
    peakRssMiB = Math.max(peakRssMiB, usageOf(pids).rssMiB);
    return old;
  };
  const timer = setInterval(look, PERIOD_MS);
  return {
    stop: () => {
      clearInterval(timer);
      const old = look();
      const ended = usageOf(front.pids());
      const switched = [...switches].map(([pid, count]) => count - (switchesBefore.get(pid) ?? 0));
      return {
        workersStarted: workers.size - atFirst,
        oldWorkers,
        oldWorkersMiB: proportionalMiB(old),
        peakRssMiB,
        cpuSeconds: ended.cpuSeconds - begun.cpuSeconds,
        followerCpuSeconds: ownCpuSeconds(followers) - followersBegun,
        registryCpuSeconds: usageOf(registry).cpuSeconds - registryBegun.cpuSeconds,
        minorFaults: ended.minorFaults - begun.minorFaults,
        contextSwitches: switched.reduce((sum, count) => sum + Math.max(0, count), 0),
      };
    },
  };
}

function followersOf(front: Front): number[] {
  const nginx = new Set(processTree(front.masterPid()));
  return front.pids().filter((pid) => !nginx.has(pid));
}
