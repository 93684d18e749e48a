import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNginxArguments } from '../../../src/sidecar/supervisor/arguments.ts';

const nothing = { help: false, version: false, build: false, test: false, dump: false, quiet: false };

describe('the arguments of nginx', () => {
  it.each([
    [
      ['-c', 'a.conf', '-p', '/p', '-g', 'daemon off;'],
      { confPath: 'a.conf', prefix: '/p', globals: 'daemon off;' },
    ],
    [['-p/p', '-ca.conf', '-e/e.log'], { confPath: 'a.conf', prefix: '/p', errorLog: '/e.log' }],
    [['-tq'], { test: true, quiet: true }],
    [['-tc', 'a.conf'], { test: true, confPath: 'a.conf' }],
    [['-tqca.conf'], { test: true, quiet: true, confPath: 'a.conf' }],
    [['-T'], { test: true, dump: true }],
    [['-s', 'reload'], { signal: 'reload' }],
    [['-squit'], { signal: 'quit' }],
    [['-vV'], { version: true, build: true }],
    [['-?'], { help: true }],
    [['-h'], { help: true }],
    [['-c', '-p'], { confPath: '-p' }],
    [['-c', 'a', '-c', 'b'], { confPath: 'b' }],
    [['-'], {}],
    [[], {}],
  ])('%j are read as nginx reads them', (words, expected) => {
    expect(parseNginxArguments(words)).toEqual({ ...nothing, ...expected });
  });

  it.each([
    [['foo'], 'invalid option: "foo"'],
    [['-z'], 'invalid option: "z"'],
    [['-tz'], 'invalid option: "z"'],
    [['--help'], 'invalid option: "-"'],
    [['-c'], 'option "-c" requires file name'],
    [['-p'], 'option "-p" requires directory name'],
    [['-e', ''], 'option "-e" requires file name'],
    [['-g'], 'option "-g" requires parameter'],
    [['-s', 'foo'], 'invalid option: "-s foo"'],
    [['-toString'], 'invalid option: "o"'],
  ])('%j are refused in the words of nginx', (words, message) => {
    expect(() => parseNginxArguments(words)).toThrow(
      expect.objectContaining({ code: 'NGINX_USAGE', message }),
    );
  });

  it('means the same glued and apart', () => {
    const value = fc.string({ minLength: 1, unit: fc.constantFrom('a', '/', '-', ' ', ';') });
    fc.assert(
      fc.property(fc.constantFrom('c', 'p', 'e', 'g'), value, (letter, text) => {
        expect(parseNginxArguments([`-${letter}${text}`])).toEqual(parseNginxArguments([`-${letter}`, text]));
      }),
    );
  });
});
