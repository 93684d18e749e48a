import { GENERATION, dict, numberAt } from './dictionary.ts';

/**
 * What one worker tells the others, as a ring of numbered events in the dictionary. A worker that reads the newest
 * number knows with one look whether there is anything new, and which upstreams it concerns. The kinds:
 */

/** A server that had failed too often is being tried again. */
export const PROBE = 0;
/** A new list. Upstream number 0: of many upstreams. */
export const LIST = 1;
export const FAILED = 2;
/** A server works again; address hash 0: all failures of the upstream are forgotten. */
export const RECOVERED = 3;

/** What was missed beyond this many events is found by looking at every upstream. */
const RING = 512;
/** An event whose number was taken but which is not there after this long was lost with its worker. Milliseconds. */
const LOST_AFTER_MS = 100;
const UPSTREAMS = 262_144;
/** An entry's flags are a signed 32-bit integer. */
const FLAGS = 2_147_483_648;

export const EVENT_SLOTS: string[] = [];
for (const slot of $range(0, RING - 1)) EVENT_SLOTS.push(`e/${slot}`);

let seen = 0;
let waitingSince = 0;
const own: Record<number, boolean | undefined> = {};

/** Called for each event of another worker, in order. */
export type EventHandler = (kind: number, upstream: number, addressHash: number) => void;
let handler: EventHandler = () => undefined;
/** Called when events were lost: everything may have changed. */
let missed: () => void = () => undefined;

/** Starts reading after everything that happened so far. */
export function listen(onEvent: EventHandler, onMissed: () => void): void {
  seen = numberAt(GENERATION);
  handler = onEvent;
  missed = onMissed;
}

/** The newest generation this worker has read. */
export function seenGeneration(): number {
  return seen;
}

/** Tells all workers (this one too in case of a list); gives the event's generation. */
export function publish(kind: number, upstream: number, addressHash: number): number {
  const [generation] = dict.incr(GENERATION, 1);
  if (generation === undefined) return 0;
  if (kind !== LIST) own[generation] = true;
  const code = kind + 4 * (upstream + UPSTREAMS * addressHash);
  dict.safe_set(EVENT_SLOTS[generation % RING]!, code, 0, generation % FLAGS);
  return generation;
}

let lookedAt = 0;

/**
 * Reads what is new before a pick. nginx's clock stands still while it handles what one look at its sockets found, and so
 * do the lists: under load one look at the dictionary serves many requests.
 */
export function catchUpAt(now: number): void {
  if (now === lookedAt) return;
  lookedAt = now;
  catchUp();
}

/** Reads what is new; costs one look at the dictionary when there is nothing. */
export function catchUp(): void {
  const [head] = dict.get(GENERATION);
  if (head !== seen) readTo(head as number);
}

function readTo(head: number): void {
  if (head - seen > RING || head < seen) return skipTo(head);
  while (seen < head) {
    const generation = seen + 1;
    const [code, flags] = dict.get(EVENT_SLOTS[generation % RING]!);
    if ((flags ?? 0) !== generation % FLAGS) {
      // Either its worker is about to write it, or it died before it could, or a newer event has taken the slot.
      const now = ngx.now() * 1000;
      if (waitingSince === 0) waitingSince = now;
      if ((flags ?? 0) > generation % FLAGS || now - waitingSince > LOST_AFTER_MS) skipTo(head);
      return;
    }
    waitingSince = 0;
    seen = generation;
    if (own[generation]) own[generation] = undefined;
    else handle(code as number);
  }
}

function skipTo(head: number): void {
  seen = head;
  waitingSince = 0;
  for (const generation in own) own[generation] = undefined;
  missed();
}

function handle(code: number): void {
  const kind = code % 4;
  const rest = (code - kind) / 4;
  const upstream = rest % UPSTREAMS;
  handler(kind, upstream, (rest - upstream) / UPSTREAMS);
}
