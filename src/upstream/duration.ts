import { UpsyncError } from './errors.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  M: 2_592_000_000,
  y: 31_536_000_000,
};
const ORDER = ['y', 'M', 'w', 'd', 'h', 'm', 's', 'ms'];
/** Largest delay a Node timer takes. */
export const MAX_DURATION_MS = 2_147_483_647;

/**
 * Reads an nginx time (`5s`, `1h30m`, `500ms`; a bare number is seconds) as milliseconds.
 * Units must come from large to small, each at most once, as nginx demands.
 * @throws {UpsyncError} BAD_DURATION when the text is not such a time or is longer than 24.8 days.
 * Source: nginx, "Configuration file measurement units".
 */
export function parseDuration(text: string): number {
  if (/^\d{1,10}$/.test(text)) return bounded(Number(text) * 1000, text);
  const parts = [...text.matchAll(/(\d{1,10})(ms|[smhdwMy])\s*/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) throw badDuration(text);
  let previous = -1;
  let total = 0;
  for (const [, digits, unit] of parts) {
    const rank = ORDER.indexOf(unit!);
    if (rank <= previous) throw badDuration(text);
    previous = rank;
    total += Number(digits) * UNIT_MS[unit!]!;
  }
  return bounded(total, text);
}

/** The shortest nginx time that means `ms` milliseconds: `90s`, `1500ms`, `6m`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  for (const unit of ['d', 'h', 'm', 's']) {
    if (ms % UNIT_MS[unit]! === 0 && (unit === 's' || ms / UNIT_MS[unit]! >= 2))
      return `${ms / UNIT_MS[unit]!}${unit}`;
  }
  return `${ms}ms`;
}

function bounded(ms: number, text: string): number {
  if (ms > MAX_DURATION_MS)
    throw new UpsyncError('BAD_DURATION', `"${text}" is longer than the 24.8 days a timer can wait`);
  return ms;
}

function badDuration(text: string): UpsyncError {
  const shown = JSON.stringify(text.slice(0, 40));
  return new UpsyncError('BAD_DURATION', `${shown} is not a time: expected for instance 5s, 500ms or 1h30m`);
}
