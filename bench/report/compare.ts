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

/** Compares what both runs measured; what only one of them has is left out. */
export function compareRuns(before: Run, after: Run): Moved[] {
  const old = measuresOf(before);
  return [...measuresOf(after)].flatMap(([name, rounds]) => {
    const previous = old.get(name);
    if (previous === undefined || previous.length === 0 || rounds.length === 0) return [];
    const [a, b] = [spread(previous), spread(rounds)];
    const apart = a.max < b.min || b.max < a.min;
    const distance = Math.abs(b.median - a.median) / (Math.abs(a.median) || 1);
    return [{ name, before: a.median, after: b.median, moved: apart && distance > NOISE }];
  });
}

/** What moved, a line each, or that nothing did. */
export function renderComparison(rows: readonly Moved[]): string {
  const moved = rows.filter((row) => row.moved);
  if (moved.length === 0) return `nothing moved beyond noise (${rows.length} measures compared)\n`;
  const lines = moved.map(({ name, before, after }) => {
    const percent = ((after - before) / (Math.abs(before) || 1)) * 100;
    return `${name}: ${pretty(before)} -> ${pretty(after)} (${percent > 0 ? '+' : ''}${percent.toFixed(0)} %)`;
  });
  return `${lines.join('\n')}\n${moved.length} of ${rows.length} measures moved beyond noise\n`;
}

function measuresOf(run: Run): Map<string, readonly number[]> {
  return new Map(run.reports.flatMap((report) => Object.entries(report.measures)));
}
