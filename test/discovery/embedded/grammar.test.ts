import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileFilter } from '../../../src/discovery/embedded/filter.ts';
import { formatGoDuration, parseGoDuration } from '../../../src/discovery/embedded/go-duration.ts';
import { HttpError } from '../../../src/discovery/embedded/http/errors.ts';
import { toUint64 } from '../../../src/discovery/embedded/http/query.ts';
import { writeJson } from '../../../src/discovery/embedded/json.ts';
import { SHAPES } from '../../../src/discovery/embedded/views.ts';

describe('a duration in Go text', () => {
  it.each([
    ['10s', 10_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['.5s', 500],
    ['500ms', 500],
    ['100us', 0.1],
    ['0', 0],
    ['-1s', -1000],
    ['1m1m', 120_000],
    ['10', undefined],
    ['s', undefined],
    ['', undefined],
    ['1x', undefined],
    ['1 s', undefined],
    ['.s', undefined],
  ])('reads %s as %s ms', (text, ms) => expect(parseGoDuration(text)).toBe(ms));

  it.each([
    [0, '0s'],
    [1500, '1.5s'],
    [60_000, '1m0s'],
    [90_000, '1m30s'],
    [7_200_000, '2h0m0s'],
    [250, '250ms'],
  ])('writes %i ms as %s', (ms, text) => expect(formatGoDuration(ms)).toBe(text));

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), (ms) => {
        expect(parseGoDuration(formatGoDuration(ms))).toBeCloseTo(ms, 6);
      }),
    );
  });
});

describe('a filter expression', () => {
  const words = fc.constantFrom(
    ...[
      'Service',
      '.',
      'Tags',
      'Meta',
      'Port',
      '==',
      '!=',
      'in',
      'not',
      'and',
      'or',
      'is',
      'empty',
      'contains',
    ],
    ...[
      '(',
      ')',
      '[',
      ']',
      '"a"',
      '`b`',
      '80',
      'x',
      '"',
      'matches',
      'Checks',
      'Status',
      '__proto__',
      'constructor',
    ],
  );

  it('compiles or is refused as Consul would refuse it, and never fails otherwise', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(words).map((list) => list.join(' ')),
          fc.string(),
        ),
        (text) => {
          try {
            compileFilter(text, SHAPES.health)({ Node: {}, Service: {}, Checks: [] });
          } catch (error) {
            expect(error).toBeInstanceOf(HttpError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('refuses deep nesting, great length and regular expressions', () => {
    for (const text of [
      '('.repeat(500),
      'not '.repeat(500),
      `Service.ID == ${'x'.repeat(10_000)}`,
      'Service.ID matches "a"',
    ])
      expect(() => compileFilter(text, SHAPES.health)).toThrow(HttpError);
  });

  it('binds "and" more tightly than "or", and "not" to what follows it', () => {
    const passes = (text: string, Port: number) => compileFilter(text, SHAPES.health)({ Service: { Port } });
    expect(passes('Service.Port == 1 or Service.Port == 2 and Service.Port == 3', 1)).toBe(true);
    expect(passes('(Service.Port == 1 or Service.Port == 2) and Service.Port == 3', 1)).toBe(false);
    expect(passes('not Service.Port == 1 or Service.Port == 1', 1)).toBe(true);
  });
});

describe('JSON as Consul writes it', () => {
  it('means the same as what was given', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (value, pretty) => {
        const text = writeJson(value, pretty);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(text).not.toMatch(/[<>&\u2028\u2029]/);
      }),
    );
  });
});

it.each([
  ['0', 0n],
  ['007', 7n],
  ['18446744073709551615', 18446744073709551615n],
  ['18446744073709551616', undefined],
  ['', undefined],
  ['+1', undefined],
  ['1e3', undefined],
])('reads %s as an unsigned 64-bit number: %s', (text, value) => expect(toUint64(text)).toBe(value));
