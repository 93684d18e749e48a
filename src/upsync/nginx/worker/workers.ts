import { dict, numberAt, textAt } from './dictionary.ts';
import { catchUp, seenGeneration } from './events.ts';
import { isByLoad, resetLimits, tellLoads } from './loads.ts';
import { self } from './self.ts';
import type { Upstream } from './upstream.ts';
import { all, failures, listKey, refreshPending, startElsewhere, upstreamNamed } from './upstreams.ts';

/** How often each worker looks whether there is something new, whether it has traffic or not. Seconds. */
const TICK = 0.01;
/** Time one tick may spend on new lists before requests have their turn. Seconds. */
const SLICE = 0.004;

/** What one worker of the current configuration says. */
export interface WorkerState {
  readonly id: number;
  /** 0 until it has started. */
  readonly pid: number;
  readonly generation: number;
  /** `name=version` lines of lists it could not use. */
  readonly bad: string;
}

let acknowledged = -1;
let failuresTold = 0;
let lastError = 0;
const byLoad: Upstream[] = [];

/** Runs once in each worker before its first request. */
export function startWorker(): void {
  const id = ngx.worker.id();
  if (id === undefined) return;
  self.workerId = id;
  self.workerCount = ngx.worker.count();
  dict.safe_set(key(id, 'gen'), 0);
  dict.delete(key(id, 'bad'));
  if (id === 0) dropLeftovers();
  for (const upstream of all) {
    startElsewhere(upstream);
    resetLimits(upstream);
    upstream.loadsChanged = true;
    if (isByLoad(upstream)) byLoad.push(upstream);
  }
  // A worker that takes the place of a dead one knows what the master knew at its start; the rest comes now.
  work(1);
  self.isServing = true;
  dict.safe_set(key(id, 'pid'), ngx.worker.pid());
  const [timer, reason] = ngx.timer.every(TICK, tick);
  if (!timer) ngx.log(ngx.ERR, `upsync: no timer: ${reason}; lists change with requests only`);
}

/** All workers of this configuration, whether they have started or not. */
export function workerStates(): WorkerState[] {
  const states: WorkerState[] = [];
  for (const id of $range(0, self.workerCount - 1)) {
    states.push({
      id,
      pid: numberAt(key(id, 'pid')),
      generation: numberAt(key(id, 'gen')),
      bad: textAt(key(id, 'bad')) ?? '',
    });
  }
  return states;
}

/** True when every worker has put everything up to `generation` to work. */
export function allReached(generation: number): boolean {
  for (const id of $range(0, self.workerCount - 1)) if (numberAt(key(id, 'gen')) < generation) return false;
  return true;
}

function tick(premature: boolean): void {
  if (premature || ngx.worker.exiting()) return;
  const [done, reason] = pcall(work, SLICE);
  if (done || ngx.now() - lastError < 1) return;
  lastError = ngx.now();
  ngx.log(ngx.ERR, `upsync: ${tostring(reason)}`);
}

function work(seconds: number): void {
  catchUp();
  const generation = seenGeneration();
  if (generation !== acknowledged && refreshPending(ngx.now() + seconds)) acknowledge(generation);
  if (self.workerCount > 1) for (const upstream of byLoad) tellLoads(upstream);
}

function acknowledge(generation: number): void {
  if (failures.count !== failuresTold) {
    failuresTold = failures.count;
    const bad: string[] = [];
    for (const upstream of all)
      if (upstream.badVersion > 0) bad.push(`${upstream.name}=${string.format('%d', upstream.badVersion)}\n`);
    dict.safe_set(key(self.workerId, 'bad'), table.concat(bad));
  }
  acknowledged = generation;
  dict.safe_set(key(self.workerId, 'gen'), generation);
}

/**
 * Removes what a reload left behind: keys of the workers before it (those that still serve old requests do without) and
 * lists of upstreams that the configuration no longer has.
 */
function dropLeftovers(): void {
  const current = string.format('%d', self.cycle);
  for (const name of dict.get_keys(0)) {
    const [cycle] = string.match(name, '^[wck]/(%d+)/');
    if (cycle !== undefined && cycle !== current) dict.delete(name);
    const [upstream] = string.match(name, '^v/(.*)$');
    if (upstream !== undefined && upstreamNamed(upstream) === undefined) {
      dict.delete(listKey(upstream, numberAt(name)));
      dict.delete(name);
      dict.delete(`g/${upstream}`);
    }
  }
}

function key(id: number, what: string): string {
  return `w/${self.cycle}/${id}/${what}`;
}
