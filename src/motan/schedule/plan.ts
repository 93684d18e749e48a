import { UpsyncError } from '../../upstream/errors.ts';
import { isIdcLabel, parseName } from '../name.ts';
import { isTimeZone } from './zone-time.ts';

/** A traffic plan that is in force at certain times. */
export interface ScheduledPlan {
  /** Shown to people; one per schedule. */
  readonly name: string;
  /** IDC → relative weight, 0 or more, one of them above 0. */
  readonly weights: Readonly<Record<string, number>>;
  /** `19:00`, on clocks of the time zone. */
  readonly from: string;
  /** `23:00`; up to 24:00. Not after `from` means on the next day. */
  readonly to: string;
  /** `Asia/Shanghai`. */
  readonly timeZone: string;
  /** Days on which it begins, 0 is Sunday. @default every day */
  readonly days?: readonly number[];
  /** Where plans overlap the higher one wins, then the one that began later. @default 0 */
  readonly priority?: number;
  /** A resource (`rs`), a name (`rs.a.6379`), or all. @default '*' */
  readonly target?: string;
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const SHAPE =
  /^\s*([\w-]{1,60})\s*:\s*(.+?)\s+from\s+(\S+)\s+to\s+(\S+)\s+([A-Za-z][\w+/-]*)((?:\s+(?:on|for|priority)\s+\S+)*)\s*$/;

/**
 * Reads a plan as people write it: `evening: a 70, b 20, cloud 10 from 19:00 to 23:00 Asia/Shanghai on mon-fri priority 5`.
 * After the time zone may follow `on` days, `for` a resource or name, and `priority` a whole number.
 * @throws {UpsyncError} BAD_SCHEDULE naming what is wrong.
 */
export function parsePlan(text: string): ScheduledPlan {
  const match = SHAPE.exec(text);
  if (match === null)
    throw badPlan(
      text,
      'expected "evening: a 70, b 20 from 19:00 to 23:00 Asia/Shanghai", then "on mon-fri", "for rs", "priority 1" as wanted',
    );
  const [, name, weights, from, to, timeZone, rest] = match as unknown as string[];
  const more = unique(
    text,
    (rest ?? '')
      .trim()
      .match(/\S+\s+\S+/g)
      ?.map((pair) => pair.split(/\s+/) as [string, string]) ?? [],
  );
  const days = more.get('on');
  const priority = more.get('priority');
  const target = more.get('for');
  return checkPlan({
    name: name!,
    weights: Object.fromEntries(
      unique(
        text,
        weights!.split(',').map((part) => readWeight(text, part)),
      ),
    ),
    from: from!,
    to: to!,
    timeZone: timeZone!,
    ...(days !== undefined && { days: readDays(text, days) }),
    ...(priority !== undefined && { priority: Number(priority) }),
    ...(target !== undefined && { target }),
  });
}

/**
 * Checks a plan.
 * @throws {UpsyncError} BAD_SCHEDULE naming what is wrong.
 */
export function checkPlan(plan: ScheduledPlan): ScheduledPlan {
  const { name, weights, from, to, timeZone, days, priority = 0, target = '*' } = plan;
  const values = Object.values(weights);
  minutesOf(name, from);
  minutesOf(name, to);
  if (!isTimeZone(timeZone)) throw badPlan(name, `there is no time zone ${JSON.stringify(timeZone)}`);
  const wrong = Object.keys(weights).find((idc) => !isIdcLabel(idc));
  if (wrong !== undefined) throw badPlan(name, `${JSON.stringify(wrong)} cannot be an IDC`);
  if (
    values.some((weight) => !(weight >= 0 && Number.isFinite(weight))) ||
    !values.some((weight) => weight > 0)
  )
    throw badPlan(name, 'weights are numbers of 0 or more, one of them above 0');
  if (
    days !== undefined &&
    (days.length === 0 || days.some((day) => !(Number.isInteger(day) && day >= 0 && day <= 6)))
  )
    throw badPlan(name, 'days are 0 (Sunday) to 6, at least one');
  if (!Number.isInteger(priority)) throw badPlan(name, 'the priority is a whole number');
  if (!isTarget(target))
    throw badPlan(
      name,
      `${JSON.stringify(target)} is neither a resource nor a name: expected rs or rs.a.6379`,
    );
  return Object.freeze({ ...plan, weights: Object.freeze({ ...weights }) });
}

/** `19:30` in minutes since midnight, 0..1440. @throws {UpsyncError} BAD_SCHEDULE */
export function minutesOf(name: string, text: string): number {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text);
  const minutes = match === null ? Number.NaN : Number(match[1]) * 60 + Number(match[2]);
  if (!(minutes <= 24 * 60) || Number(match![2]) > 59)
    throw badPlan(name, `${JSON.stringify(text)} is no time of a day: expected 00:00 to 24:00`);
  return minutes;
}

function isTarget(target: string): boolean {
  // A resource has the grammar of a name's first part; any IDC and port make it a name.
  const name = /\.\d+$/.test(target) ? target : `${target}.x.1`;
  try {
    return target === '*' || parseName(name, 'x') !== undefined;
  } catch {
    return false;
  }
}

/** @throws {UpsyncError} BAD_SCHEDULE when something is said twice: which of the two is meant nobody can know. */
function unique<T>(plan: string, entries: readonly (readonly [string, T])[]): ReadonlyMap<string, T> {
  const twice = entries.find(([key], at) => entries.findIndex(([other]) => other === key) !== at);
  if (twice !== undefined) throw badPlan(plan, `${JSON.stringify(twice[0])} is there twice`);
  return new Map(entries);
}

function readWeight(plan: string, part: string): [string, number] {
  const match = /^\s*([a-z0-9-]+)\s+(\d+(?:\.\d+)?)%?\s*$/i.exec(part);
  if (match === null) throw badPlan(plan, `${JSON.stringify(part.trim())} is no weight: expected "a 70"`);
  return [match[1]!.toLowerCase(), Number(match[2])];
}

function readDays(plan: string, text: string): number[] {
  const days = new Set<number>();
  for (const part of text.toLowerCase().split(',')) {
    const [first, last] = part.split('-').map((day) => DAYS.indexOf(day));
    if (first === undefined || first < 0 || last === -1)
      throw badPlan(plan, `${JSON.stringify(part)} are no days: expected mon-fri or sat,sun`);
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === (last ?? first)) break;
    }
  }
  return [...days].sort((a, b) => a - b);
}

function badPlan(plan: string, why: string): UpsyncError {
  return new UpsyncError('BAD_SCHEDULE', `plan ${JSON.stringify(plan.slice(0, 80))} cannot be used: ${why}`);
}
