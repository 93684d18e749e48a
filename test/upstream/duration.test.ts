import { describe, expect, it } from 'vitest';
import { formatDuration, MAX_DURATION_MS, nginxTime, parseDuration } from '../../src/upstream/duration.ts';
import { parseSeconds } from '../../src/upstream/seconds.ts';

describe('times as nginx reads them', () => {
  it.each([
    ['7', 7000],
    ['007', 7000],
    ['30s', 30_000],
    ['1m', 60_000],
    ['1h30m', 5_400_000],
    ['1h 30m', 5_400_000],
    ['1h30', 3_630_000],
    ['1m 30', 90_000],
    ['1s1', 2000],
    ['30 ', 30_000],
    [' 30', 30_000],
    ['30 5', 35_000],
    ['1h30 ', 3_630_000],
    ['1s ', 1000],
    ['1w1d', 691_200_000],
  ])('takes "%s"', (text, ms) => {
    expect(parseSeconds(text)).toBe(ms);
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    '',
    ' ',
    's',
    '5S',
    '1 h',
    ' 1h',
    '1h1h',
    '1s1m',
    '1s 5 ',
    '5.5',
    '-5',
    '+5',
    '٣s',
    '5\t',
    '9'.repeat(20),
  ])('does not take "%s"', (text) => {
    expect(() => parseSeconds(text)).toThrow('is not a time in whole seconds');
    expect(() => parseDuration(text)).toThrow('is not a time');
  });

  it('knows milliseconds only where nginx does', () => {
    expect(parseDuration('1s500ms')).toBe(1500);
    expect(() => parseSeconds('1000ms')).toThrow('whole seconds');
  });

  it('bounds what is longer than a timer can wait', () => {
    expect(() => parseDuration('30d')).toThrow('24.8 days');
    expect(nginxTime('30d')).toBe(2_592_000_000);
    expect(parseSeconds('1y')).toBe(Math.floor(MAX_DURATION_MS / 1000) * 1000);
  });

  it('writes the shortest text', () => {
    expect([0, 1500, 90_000, 360_000, 86_400_000].map(formatDuration)).toEqual([
      '0s',
      '1500ms',
      '90s',
      '6m',
      '24h',
    ]);
  });
});
