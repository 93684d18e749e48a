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
  /**
   * Goes on with other plans. What is in force changes once, from the old to the new, without a moment in between.
   * @throws {UpsyncError} BAD_SCHEDULE; the plans before stay.
   */
  update(plans: readonly ScheduledPlan[]): void;
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
  return new Timetable(options);
}

class Timetable implements Schedule {
  readonly #resolver: ScheduleOptions['resolver'];
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #plans: readonly ScheduledPlan[] = [];
  #current: readonly ScheduleStatus[] = [];
  #edges: Promise<readonly ScheduledTask[]> = Promise.resolve([]);
  #round = 0;

  constructor({ resolver, plans, logger = SILENT, now = Date.now }: ScheduleOptions) {
    this.#resolver = resolver;
    this.#logger = logger;
    this.#now = now;
    this.update(plans);
    this.#timer = setInterval(() => this.#safely(), RECHECK_MS);
    this.#timer.unref();
  }

  status(): readonly ScheduleStatus[] {
    return this.#current;
  }

  update(given: readonly ScheduledPlan[]): void {
    const plans = checkedPlans(given);
    const before = this.#plans;
    this.#plans = plans;
    try {
      this.evaluate();
    } catch (error) {
      this.#plans = before;
      throw error;
    }
    void this.#stopEdges();
    const round = ++this.#round;
    const tasks = tellEdges(
      plans,
      () => this.#safely(),
      () => this.#round !== round,
    );
    this.#edges = tasks.catch((error: unknown): readonly ScheduledTask[] => {
      // The slow look-around goes on without it.
      this.#logger.error({ reason: errorText(error) }, 'traffic_plan_edges_failed');
      return [];
    });
  }

  evaluate(): void {
    const at = this.#now();
    this.#become(targetsOf(this.#plans).map((target) => statusAt(this.#plans, at, target)));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#round++;
    await this.#stopEdges();
    this.#plans = [];
    this.#become([]);
  }

  #become(next: readonly ScheduleStatus[]): void {
    const before = this.#current;
    // What begins comes first, so that a target that changes plans is never without one.
    for (const status of next) {
      const old = before.find(({ target }) => target === status.target);
      if (!sameInForce(old, status)) this.#set(status);
    }
    for (const { target, plan } of before)
      if (plan !== undefined && !next.some((one) => one.target === target)) this.#set(nothing(target));
    this.#current = next;
  }

  #set(status: ScheduleStatus): void {
    const { target, plan, weights } = status;
    this.#resolver.plan(
      target,
      plan === undefined ? undefined : { weights: weights!, reason: `schedule ${plan}` },
    );
    this.#logger.info({ target, plan, weights }, 'traffic_plan_changed');
  }

  #safely(): void {
    try {
      this.evaluate();
    } catch (error) {
      this.#logger.error({ reason: errorText(error) }, 'traffic_plan_failed');
    }
  }

  async #stopEdges(): Promise<void> {
    const edges = this.#edges;
    await Promise.all((await edges).map(async (task) => task.destroy()));
  }
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

function checkedPlans(given: readonly ScheduledPlan[]): readonly ScheduledPlan[] {
  const plans = given.map(checkPlan);
  const twice = plans.find(({ name }, at) => plans.findIndex((other) => other.name === name) !== at);
  if (twice !== undefined)
    throw new UpsyncError('BAD_SCHEDULE', `plan ${JSON.stringify(twice.name)} is there twice`);
  return plans;
}

function sameInForce(a: ScheduleStatus | undefined, b: ScheduleStatus): boolean {
  return a?.plan === b.plan && JSON.stringify(a?.weights) === JSON.stringify(b.weights);
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
