import type { ScenarioReport } from '../scenario.ts';
import { pretty, spread } from '../stats.ts';
import type { Run } from './markdown.ts';

/** One measure of two runs. `moved` when their rounds do not overlap at all and the medians differ by more than a tenth. */
export interface Moved {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  readonly moved: boolean;
}

const NOISE = 0.1;
const LEAST_ROUNDS = 2;

/** Reads an earlier run's results.json; throws when it is something else. */
export function parseRun(file: string, text: string): Run {
  let run: unknown;
  try {
    run = JSON.parse(text);
  } catch (error) {
    throw new Error(`${file} is not JSON: --compare takes a results.json of an earlier run`, {
      cause: error,
    });
  }
  const { reports } = (run ?? {}) as Partial<Run>;
  const known =
    Array.isArray(reports) &&
    reports.every((report) => typeof report?.name === 'string' && typeof report.measures === 'object');
  if (!known) throw new Error(`${file} holds no measures: --compare takes a results.json of an earlier run`);
  return run as Run;
}

/** Compares what both runs measured in the same way; what only one of them has is left out. */
export function compareRuns(before: Run, after: Run): Moved[] {
  return after.reports.flatMap((report) => {
    const old = before.reports.find(({ name }) => name === report.name);
    if (old === undefined || revisionOf(old) !== revisionOf(report)) return [];
    return Object.entries(report.measures).flatMap(([name, rounds]) =>
      compare(name, old.measures[name], rounds),
    );
  });
}

/** What moved, a line each, or that nothing did; before it, what could not be compared and why. */
export function renderComparison(before: Run, after: Run): string {
  const rows = compareRuns(before, after);
  const moved = rows.filter((row) => row.moved);
  const lines = moved.map(({ name, before: then, after: now }) => {
    const percent = ((now - then) / (Math.abs(then) || 1)) * 100;
    return `${name}: ${pretty(then)} -> ${pretty(now)} (${percent > 0 ? '+' : ''}${percent.toFixed(0)} %)`;
  });
  const last =
    moved.length === 0
      ? `nothing moved beyond noise (${rows.length} measures compared)`
      : `${moved.length} of ${rows.length} measures moved beyond noise`;
  return `${[...notes(before, after), ...lines, last].join('\n')}\n`;
}

function notes(before: Run, after: Run): string[] {
  const changed = after.reports.flatMap((report) => {
    const old = before.reports.find(({ name }) => name === report.name);
    if (old === undefined) return [`${report.name}: not in the earlier run, so not compared`];
    if (revisionOf(old) === revisionOf(report)) return [];
    return [`${report.name}: measured in another way in the earlier run, so not compared; repeat that one`];
  });
  if (before.scale !== after.scale)
    changed.push(
      'one of the runs was shortened and the other was not (or not as much): part of a difference may be that',
    );
  if (Math.min(before.rounds, after.rounds) < LEAST_ROUNDS)
    changed.push(`one round does not show its noise: compare runs of ${LEAST_ROUNDS} rounds or more`);
  return changed;
}

function compare(name: string, previous: readonly number[] | undefined, rounds: readonly number[]): Moved[] {
  if (previous === undefined || previous.length === 0 || rounds.length === 0) return [];
  const [a, b] = [spread(previous), spread(rounds)];
  const apart = a.max < b.min || b.max < a.min;
  const distance = Math.abs(b.median - a.median) / (Math.abs(a.median) || 1);
  return [{ name, before: a.median, after: b.median, moved: apart && distance > NOISE }];
}

function revisionOf({ revision = 1 }: ScenarioReport): number {
  return revision;
}
