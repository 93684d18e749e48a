import { loadBoot } from './boot.ts';
import { CYCLE, dict, prepare } from './dictionary.ts';
import { EVENT_SLOTS, FAILED, LIST, PROBE, RECOVERED, listen } from './events.ts';
import { hearOf } from './health.ts';
import { allowLongTraces, clock } from './nginx-balancer.ts';
import { prepareKeptPeers } from './kept-peers.ts';
import { prepareLogPhase } from './log-phase.ts';
import { findNginx } from './nginx-memory.ts';
import { self } from './self.ts';
import { markAllStale, markStale, upstreamNumbered } from './upstreams.ts';
import { startWorker } from './workers.ts';

export { balance, log } from './balance.ts';
export { control } from './control.ts';
export { show } from './show.ts';

/**
 * `init_by_lua`, in the nginx master, at start, at each HUP and for `nginx -t`: reads the boot file once for all workers.
 * The dictionary survives a HUP, and its lists win over the boot file's, which are older.
 */
export function init(bootFile: string): void {
  allowLongTraces();
  prepare(EVENT_SLOTS);
  const [cycle] = dict.incr(CYCLE, 1);
  self.cycle = cycle ?? 0;
  listen(onEvent, markAllStale);
  loadBoot(bootFile);
}

/** `init_worker_by_lua`. */
export function initWorker(): void {
  const parts = findNginx();
  prepareLogPhase(parts);
  prepareKeptPeers(parts);
  startWorker();
}

function onEvent(kind: number, number: number, addressHash: number): void {
  if (kind === LIST && number === 0) return markAllStale();
  const upstream = upstreamNumbered(number);
  if (upstream === undefined) return;
  if (kind === LIST) markStale(upstream);
  else if (kind === FAILED || kind === RECOVERED || kind === PROBE)
    hearOf(upstream, kind, addressHash, clock());
}
