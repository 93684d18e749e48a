import type { Watched } from '../rig/front-watch.ts';
import type { Variant } from '../rig/front.ts';
import type { PacedResult } from '../rig/paced.ts';

/** What every variant is under while its list changes: all four kinds of clients at once. */
export const LOAD = {
  servers: 4,
  connections: 64,
  keepaliveRate: 2000,
  shortRate: 300,
  warmSeconds: 0.6,
  longLived: { downloads: 8, websockets: 8, arrivalMs: 100 },
} as const;

/** One measurement: a variant, and how often its list changes. */
export interface Step {
  readonly variant: Variant;
  /** As the tables say it. */
  readonly changes: string;
  readonly periodMs: number | undefined;
  readonly seconds: number;
  /** The static nginx, which the others are compared to. */
  readonly base: boolean;
}

export interface Measured extends Step {
  readonly result: PacedResult;
  /** How many were made. */
  readonly changesMade: number;
  readonly watched: Watched;
  readonly cut: {
    readonly downloads: number;
    readonly websockets: number;
    readonly websocketsOpened: number;
    readonly heartbeatsLost: number;
  };
}

interface Pace {
  readonly changes: string;
  readonly periodMs: number;
  readonly seconds: number;
}

const BASE_SECONDS = 4;
const LEAST_SECONDS = 2;
const SLICE_SECONDS = 1;
const SLICES = 8;
const SELDOM: Pace = { changes: '1 in 10 s', periodMs: 10_000, seconds: 10 };
const EACH_SECOND: Pace = { changes: '1 a second', periodMs: 1000, seconds: 3 };
const TEN: Pace = { changes: '10 a second', periodMs: 100, seconds: 4 };
const HUNDRED: Pace = { changes: '100 a second', periodMs: 10, seconds: 3 };

/** What the goal is about: static and Upsync side by side, each in turn for a second, changes only while it is Upsync's turn. */
export const IN_TURNS = {
  still: { ...still(SLICE_SECONDS), changes: 'none, in turns' },
  changing: step('upsync', { ...TEN, seconds: SLICE_SECONDS }, 1),
} as const;

/** How many turns each of the two has in a round. */
export function turns(scale: number): number {
  return Math.max(2, Math.round(SLICES * scale));
}

/**
 * The order of the rest of one round, fresh processes for each step. The static nginx stands between the others: each is compared
 * to its neighbours. A shortened run leaves out the pace that would have no change in its time.
 */
export function churnPlan(scale: number): Step[] {
  const base = still(Math.max(LEAST_SECONDS, BASE_SECONDS * scale));
  const all = (pace: Pace, ...variants: Variant[]): Step[] =>
    variants.map((variant) => step(variant, pace, scale));
  return [
    base,
    ...all(SELDOM, 'upsync', 'reload', 'template').filter((one) => one.periodMs! <= one.seconds * 1000),
    ...all(EACH_SECOND, 'upsync', 'reload', 'reload-cutting', 'template'),
    base,
    ...all(TEN, 'reload', 'template'),
    ...all(HUNDRED, 'upsync', 'reload', 'template'),
    base,
  ];
}

function still(seconds: number): Step {
  return { variant: 'static', changes: 'none', periodMs: undefined, seconds, base: true };
}

function step(variant: Variant, pace: Pace, scale: number): Step {
  const { changes, periodMs } = pace;
  const seconds = scale === 1 ? pace.seconds : Math.max(LEAST_SECONDS, pace.seconds * scale);
  return { variant, changes, periodMs, seconds, base: false };
}
