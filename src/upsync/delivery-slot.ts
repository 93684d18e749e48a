import { Backoff } from '../upstream/backoff.ts';
import type { Snapshot } from '../upstream/snapshot.ts';
import type { ApplyReport } from './target.ts';

/** Checks in a row that a worker may be behind before its list is sent again. */
const PATIENCE = 3;
const REST_MS_PER_SERVER = 0.02;

/** How far one target is with one upstream. */
export interface Slot {
  wanted: Snapshot;
  delivered: ApplyReport | undefined;
  /** Attempts that ended, to tell a question asked before one from a question asked after. */
  attempts: number;
  /** `attempts` when the target was last asked; one that moved since cannot be compared with the answer. */
  asked: number;
  /** `wanted` is still to be applied. */
  due: boolean;
  /** An attempt is under way. */
  busy: boolean;
  /** Checks in a row that found a worker behind. */
  lagging: number;
  readonly backoff: Backoff;
  /** Runs while a failed attempt waits for its next try, or a list that was taken for the end of its rest. */
  timer: NodeJS.Timeout | undefined;
  /** Length of the rest that `timer` stands for; 0 when it stands for a pause after a failure. */
  restMs: number;
  error: string | undefined;
}

export function createSlot(wanted: Snapshot, random: (() => number) | undefined): Slot {
  return {
    wanted,
    delivered: undefined,
    attempts: 0,
    asked: 0,
    due: true,
    busy: false,
    lagging: 0,
    backoff: new Backoff({ baseMs: 100, capMs: 2000, ...(random && { random }) }),
    timer: undefined,
    restMs: 0,
    error: undefined,
  };
}

/**
 * Rest of one upstream after a list was taken, in milliseconds: rebuilding a list of thousands takes a worker milliseconds,
 * and a burst of changes must not keep it from serving. The first change of a burst never waits for it.
 */
export function restAfter({ servers }: Snapshot): number {
  return Math.floor(servers.length * REST_MS_PER_SERVER);
}

/** Ends a rest early, so that the newest list is not lost when its delivery ends. */
export function endRest(slot: Slot): void {
  if (slot.restMs === 0) return;
  clearTimeout(slot.timer);
  slot.timer = undefined;
  slot.restMs = 0;
}

/** True while there is something to wait for that is not a pause after a failure. */
export function isUnfinished(slot: Slot): boolean {
  return slot.busy || (slot.due && slot.timer === undefined);
}

/**
 * Compares what a target says with what it confirmed before, and marks as due what it lost: another version than it
 * confirmed, or a worker that stays behind.
 * @returns upstreams to be told about, each once per incident.
 */
export function markLost(
  slots: ReadonlyMap<string, Slot>,
  reports: ReadonlyMap<string, ApplyReport>,
): { readonly lost: readonly string[]; readonly behind: readonly string[] } {
  const lost: string[] = [];
  const behind: string[] = [];
  for (const [upstream, slot] of slots) {
    if (slot.delivered === undefined || slot.due || slot.busy || slot.asked !== slot.attempts) continue;
    const report = reports.get(upstream);
    if (report?.version !== slot.delivered.version) {
      lost.push(upstream);
      slot.due = true;
    } else if (report.workers.every((worker) => worker.version === report.version)) {
      slot.lagging = 0;
    } else if (++slot.lagging % PATIENCE === 0) {
      slot.due = true;
      if (slot.lagging === PATIENCE) behind.push(upstream);
    }
  }
  return { lost, behind };
}
