import { describe, expect, it } from 'vitest';
import { controls, neighbours } from '../../bench/sandwich.ts';

// s: static, the base; a, b: what is compared.
const sequence = (text: string): { name: string; base: boolean }[] =>
  [...text].map((letter, at) => ({ name: `${letter}${at}`, base: letter === 's' }));

describe('what a measurement is compared to', () => {
  it.each([
    ['sas', 1, 's0', 's2'],
    ['sabs', 1, 's0', 's3'],
    ['sabs', 2, 's0', 's3'],
    ['sasbs', 3, 's2', 's4'],
    ['sasbs', 2, 's0', 's4'],
    ['as', 0, 's1', 's1'],
    ['sa', 1, 's0', 's0'],
  ])('in %s, place %i: %s and %s', (text, at, before, after) => {
    const found = neighbours(sequence(text), at);
    expect([found.before.name, found.after.name]).toEqual([before, after]);
  });

  it('takes a sequence without a base for a mistake', () => {
    expect(() => neighbours(sequence('ab'), 0)).toThrow('without a base');
    expect(() => neighbours(sequence('s'), 0)).toThrow('without a base');
  });
});

describe('bases compared to bases', () => {
  it.each([
    ['s', []],
    ['sas', []],
    ['sasas', [2]],
    ['sasasas', [2]],
    ['sasasasas', [2, 6]],
    ['sabs', []],
    ['sssss', [1, 3]],
  ])('in %s are those at %j', (text, expected) => {
    expect(controls(sequence(text))).toEqual(expected);
  });

  it('share no measurement with what they are compared to', () => {
    const all = sequence('sasasasasasas');
    const compared = controls(all).map((at) => all[at]!.name);
    const against = controls(all).flatMap((at) => {
      const { before, after } = neighbours(all, at);
      return [before.name, after.name];
    });
    expect(compared.length).toBeGreaterThan(0);
    expect(compared.filter((name) => against.includes(name))).toEqual([]);
  });
});
