import { minutesOf, type ScheduledPlan } from './plan.ts';
import { addDays, dayAt, formatInstant, instantOf, weekdayOf } from './zone-time.ts';

/** One time a plan is in force: from `start`, up to but not including `end`. Milliseconds since the epoch. */
export interface Occurrence {
  readonly plan: ScheduledPlan;
  readonly start: number;
  readonly end: number;
}

/** A stretch of time without a change. */
export interface Segment {
  readonly target: string;
  readonly start: number;
  readonly end: number;
  /** The plan in force, if any. */
  readonly plan: ScheduledPlan | undefined;
  /** Plans that would be in force too, but lose against it. */
  readonly overruled: readonly ScheduledPlan[];
}

const DAY_MS = 24 * 60 * 60_000;

/**
 * The plan in force for a target at an instant: of those whose time it is the one with the highest priority, of these the one
 * that began last, of these the one listed first. Pure, so that a restart in the middle of a plan finds the same.
 */
export function activePlan(
  plans: readonly ScheduledPlan[],
  now: number,
  target = '*',
): Occurrence | undefined {
  return inForce(plans, now, target)[0];
}

/** The coming time of one target, cut where something changes. Pure; what `dry run` prints. */
export function upcoming(
  plans: readonly ScheduledPlan[],
  from: number,
  target = '*',
  days = 7,
): readonly Segment[] {
  const until = from + days * DAY_MS;
  const edges = new Set([from, until]);
  for (const plan of plans.filter((one) => targetOf(one) === target))
    for (const { start, end } of occurrences(plan, from, until))
      for (const edge of [start, end]) if (edge > from && edge < until) edges.add(edge);
  const times = [...edges].sort((a, b) => a - b);
  const segments: Segment[] = [];
  for (let at = 0; at + 1 < times.length; at++) {
    const [first, ...others] = inForce(plans, times[at]!, target);
    const segment = {
      target,
      start: times[at]!,
      end: times[at + 1]!,
      plan: first?.plan,
      overruled: others.map(({ plan }) => plan),
    };
    segments.push(segment);
  }
  return segments;
}

/** Targets that any plan speaks of. */
export function targetsOf(plans: readonly ScheduledPlan[]): readonly string[] {
  return [...new Set(plans.map(targetOf))];
}

/** The coming week as text, one line per stretch of time, overlaps named. */
export function formatUpcoming(
  plans: readonly ScheduledPlan[],
  from: number,
  timeZone: string,
  days = 7,
): string {
  const lines = targetsOf(plans).flatMap((target) => [
    `${target === '*' ? 'all names' : target}, times of ${timeZone}`,
    ...upcoming(plans, from, target, days).map(({ start, end, plan, overruled }) => {
      const time = `${formatInstant(start, timeZone)}  to  ${formatInstant(end, timeZone)}`;
      const what = plan === undefined ? 'no plan' : `${plan.name}: ${weightsText(plan)}`;
      const lost = overruled.map(({ name }) => name).join(', ');
      return `  ${time}  ${what}${lost === '' ? '' : `  (overlaps ${lost}, which loses)`}`;
    }),
  ]);
  return `${lines.join('\n')}\n`;
}

/** `a 70, b 20, cloud 10`. */
export function weightsText({ weights }: ScheduledPlan): string {
  return Object.entries(weights)
    .map(([idc, weight]) => `${idc} ${weight}`)
    .join(', ');
}

function inForce(plans: readonly ScheduledPlan[], now: number, target: string): Occurrence[] {
  return plans
    .filter((plan) => targetOf(plan) === target)
    .flatMap((plan) => occurrences(plan, now, now + 1).slice(0, 1))
    .sort((a, b) => (b.plan.priority ?? 0) - (a.plan.priority ?? 0) || b.start - a.start);
}

/** Occurrences that touch the time from `from` up to but not including `until`. */
function occurrences(plan: ScheduledPlan, from: number, until: number): Occurrence[] {
  const { name, timeZone, days } = plan;
  const begin = minutesOf(name, plan.from);
  const finish = minutesOf(name, plan.to);
  const found: Occurrence[] = [];
  // A plan over midnight, and a clock that was put forward, may reach into the day from two days before.
  for (let day = addDays(dayAt(from, timeZone), -2); ; day = addDays(day, 1)) {
    const start = instantOf(day, begin, timeZone);
    if (start >= until) return found;
    if (days !== undefined && !days.includes(weekdayOf(day))) continue;
    const end = instantOf(finish <= begin ? addDays(day, 1) : day, finish, timeZone);
    if (end > from) found.push({ plan, start, end });
  }
}

function targetOf({ target = '*' }: ScheduledPlan): string {
  return target;
}
