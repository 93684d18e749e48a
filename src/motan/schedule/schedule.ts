import type { ScheduledTask } from 'node-cron';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import { type Logger, SILENT } from '../../upstream/logger.ts';
import type { Resolver } from '../resolution.ts';
import { activePlan, targetsOf, weightsText } from './active.ts';
import { checkPlan, minutesOf, type ScheduledPlan } from './plan.ts';

export interface ScheduleOptions {
  readonly resolver: Pick<Resolver, 'plan'>;
  readonly plans: readonly ScheduledPlan[];
  /** @default SILENT */
  readonly logger?: Logger;
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number;
}

/** What is in force for one target. */
export interface ScheduleStatus {
  readonly target: string;
  /** Undefined while no plan is in force. */
  readonly plan: string | undefined;
  readonly weights: Readonly<Record<string, number>> | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number | undefined;
  readonly until: number | undefined;
}

export interface Schedule {
  status(): readonly ScheduleStatus[];
  /** Looks again, as at each edge of a plan. */
  evaluate(): void;
  /** Stops; the plan in force is taken back. */
  close(): Promise<void>;
}

/** A clock that was set, or a laptop that slept, is noticed within this time. Milliseconds. */
const RECHECK_MS = 30_000;

/**
 * Puts timed traffic plans in force. What is in force is always worked out from the time it is, never from what happened before;
 * node-cron only says when to look again. So a start in the middle of a plan, a missed edge or a changed clock come out right.
 * @throws {UpsyncError} BAD_SCHEDULE for a plan that cannot be used, or two of one name.
 */
export function startSchedule(options: ScheduleOptions): Schedule {
  const { resolver, logger = SILENT, now = Date.now } = options;
  const plans = options.plans.map(checkPlan);
  const twice = plans.find(({ name }, at) => plans.findIndex((other) => other.name === name) !== at);
  if (twice !== undefined)
    throw new UpsyncError('BAD_SCHEDULE', `plan ${JSON.stringify(twice.name)} is there twice`);
  const targets = targetsOf(plans);
  let current: readonly ScheduleStatus[] = targets.map((target) => nothing(target));
  const set = (status: ScheduleStatus): void => {
    const { target, plan, weights } = status;
    resolver.plan(target, plan === undefined ? undefined : { weights: weights!, reason: `schedule ${plan}` });
    logger.info({ target, plan, weights }, 'traffic_plan_changed');
  };
  const evaluate = (): void => {
    const at = now();
    const next = targets.map((target) => statusAt(plans, at, target));
    const changed = next.filter((status, index) => status.plan !== current[index]!.plan);
    current = next;
    for (const status of changed) set(status);
  };
  const safely = (): void => {
    try {
      evaluate();
    } catch (error) {
      logger.error({ reason: errorText(error) }, 'traffic_plan_failed');
    }
  };
  let isClosed = false;
  const tasks = tellEdges(plans, safely, () => isClosed).catch((error: unknown): ScheduledTask[] => {
    // The slow look-around goes on without it.
    logger.error({ reason: errorText(error) }, 'traffic_plan_edges_failed');
    return [];
  });
  const timer = setInterval(safely, RECHECK_MS);
  timer.unref();
  evaluate();
  return {
    status: () => current,
    evaluate,
    close: async () => {
      isClosed = true;
      clearInterval(timer);
      await Promise.all((await tasks).map(async (task) => task.destroy()));
      const inForce = current.filter(({ plan }) => plan !== undefined);
      current = targets.map((target) => nothing(target));
      for (const { target } of inForce) set(nothing(target));
    },
  };
}

/** What is in force now, in one line per target. */
export function formatStatus(status: readonly ScheduleStatus[]): string {
  return status
    .map(({ target, plan, weights, until }) =>
      plan === undefined
        ? `${target}: no plan`
        : `${target}: ${plan} (${weightsText({ weights } as ScheduledPlan)}) until ${new Date(until!).toISOString()}`,
    )
    .join('\n');
}

function statusAt(plans: readonly ScheduledPlan[], at: number, target: string): ScheduleStatus {
  const found = activePlan(plans, at, target);
  if (found === undefined) return nothing(target);
  const { plan, start, end } = found;
  return { target, plan: plan.name, weights: plan.weights, since: start, until: end };
}

function nothing(target: string): ScheduleStatus {
  return { target, plan: undefined, weights: undefined, since: undefined, until: undefined };
}

// Loaded when it is used: a program without plans does not pay for it.
async function tellEdges(
  plans: readonly ScheduledPlan[],
  evaluate: () => void,
  isClosed: () => boolean,
): Promise<ScheduledTask[]> {
  const { schedule } = await import('node-cron');
  if (isClosed()) return [];
  return edgesOf(plans).map(({ minutes, timeZone }) =>
    schedule(`${minutes % 60} ${Math.floor(minutes / 60)} * * *`, evaluate, {
      timezone: timeZone,
      unref: true,
      suppressMissedWarning: true,
    }),
  );
}

function edgesOf(plans: readonly ScheduledPlan[]): readonly { minutes: number; timeZone: string }[] {
  const edges = new Map<string, { minutes: number; timeZone: string }>();
  for (const { name, from, to, timeZone } of plans)
    for (const time of [from, to]) {
      const minutes = minutesOf(name, time) % (24 * 60);
      edges.set(`${minutes} ${timeZone}`, { minutes, timeZone });
    }
  return [...edges.values()];
}
