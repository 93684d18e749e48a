import { UpsyncError } from './errors.ts';

const MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  M: 2_592_000_000,
  y: 31_536_000_000,
};
// A blank behind a bare number closes the list: only another bare number may follow it.
const ORDER = ['y', 'M', 'w', 'd', 'h', 'm', 's', 'ms', ' '];
/** Largest delay a Node timer takes. */
export const MAX_DURATION_MS = 2_147_483_647;

/**
 * Reads an nginx time (`5s`, `1h30m`, `1h 30m`, `500ms`; a number without a unit is seconds) as milliseconds.
 * Units must come from large to small, each at most once, as nginx demands.
 * @throws {UpsyncError} BAD_DURATION when the text is not such a time or is longer than 24.8 days.
 * Source: nginx, "Configuration file measurement units".
 */
export function parseDuration(text: string): number {
  const ms = nginxTime(text);
  if (ms === undefined) throw badDuration(text);
  if (ms > MAX_DURATION_MS)
    throw new UpsyncError('BAD_DURATION', `"${text}" is longer than the 24.8 days a timer can wait`);
  return ms;
}

/** As {@link parseDuration} without its bound, and undefined for what nginx does not take for a time. */
export function nginxTime(text: string): number | undefined {
  let total = 0;
  let digits = '';
  let known = false;
  let last = -1;
  for (const [piece] of text.matchAll(/\d+|ms|[\s\S]/g)) {
    if (/^\d/.test(piece)) {
      if (piece.length > 18) return undefined;
      digits = piece;
      known = true;
      continue;
    }
    const rank = ORDER.indexOf(piece);
    // Blanks behind a unit mean nothing.
    if (piece === ' ' && digits === '' && last >= 0) continue;
    // Both end the seconds, so neither may follow them.
    if (rank < 0 || rank <= last || (piece === ' ' && last >= ORDER.indexOf('s'))) return undefined;
    total += Number(digits) * (MS[piece] ?? 1000);
    digits = '';
    last = rank;
  }
  return known ? total + Number(digits) * 1000 : undefined;
}

/** The shortest nginx time that means `ms` milliseconds: `90s`, `1500ms`, `6m`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  for (const unit of ['d', 'h', 'm', 's']) {
    if (ms % MS[unit]! === 0 && (unit === 's' || ms / MS[unit]! >= 2)) return `${ms / MS[unit]!}${unit}`;
  }
  return `${ms}ms`;
}

function badDuration(text: string): UpsyncError {
  const shown = JSON.stringify(text.slice(0, 40));
  return new UpsyncError('BAD_DURATION', `${shown} is not a time: expected for instance 5s, 500ms or 1h30m`);
}
