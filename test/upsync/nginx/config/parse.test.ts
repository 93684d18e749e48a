import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyEdits, blankOf, quoteWord } from '../../../../src/upsync/nginx/config/edit.ts';
import { type Directive, parseConfig } from '../../../../src/upsync/nginx/config/parse.ts';
import { tokenize } from '../../../../src/upsync/nginx/config/tokenize.ts';
import { CORPUS } from '../../../helpers/nginx-corpus.ts';

const outline = (directives: readonly Directive[]): unknown[] =>
  directives.map(({ name, args, block }) => {
    const words = [name, ...args.map(({ value }) => value)].join(' ');
    return block ? [words, outline(block.directives)] : words;
  });

it('reads directives, arguments and nested blocks', () => {
  const text =
    'user www;\nhttp {\n  map $a $b { default 0; ~x 1; }\n  server { listen 80; location / { } }\n}\n';
  expect(outline(parseConfig(text, 'f').directives)).toEqual([
    'user www',
    [
      'http',
      [
        ['map $a $b', ['default 0', '~x 1']],
        ['server', ['listen 80', ['location /', []]]],
      ],
    ],
  ]);
});

it('reports a directive by the line where it ends, as nginx does', () => {
  const [upsync] = parseConfig('upsync a\n  b\n  c;\n', 'f').directives;
  expect(upsync).toMatchObject({ line: 3, start: 0, end: 17 });
});

describe('errors in the words of nginx', () => {
  it.each([
    ['a;\n}\n', 'unexpected "}" in f:2'],
    ['http {\n a;\n', 'unexpected end of file, expecting "}" in f:3'],
    ['http {\n a\n}\n', 'unexpected "}" in f:3'],
  ])('%j gives %s', (text, message) => {
    expect(() => parseConfig(text, 'f')).toThrowError(message);
  });
});

describe.each(CORPUS.map(({ title, text }) => [title, text] as const))('%s', (_title, text) => {
  it('comes out unchanged without edits', () => {
    expect(applyEdits(parseConfig(text, 'f').text, [])).toBe(text);
  });

  it('has directives whose spans hold their own text', () => {
    const check = (directives: readonly Directive[], start: number, end: number): void => {
      let position = start;
      for (const directive of directives) {
        expect(directive.start).toBeGreaterThanOrEqual(position);
        // What lies between two directives is blank or comment.
        expect(
          tokenize(text.slice(position, directive.start), 'f').every(({ kind }) => kind === 'space'),
        ).toBe(true);
        if (directive.block) check(directive.block.directives, directive.block.start, directive.block.end);
        position = directive.end;
      }
      expect(position).toBeLessThanOrEqual(end);
    };
    check(parseConfig(text, 'f').directives, 0, text.length);
  });
});

it('makes edits in any order and keeps the rest', () => {
  const edits = [
    { start: 4, end: 6, text: 'XY' },
    { start: 0, end: 0, text: '<' },
    { start: 0, end: 0, text: '>' },
  ];
  expect(applyEdits('abcdefgh', edits)).toBe('<>abcdXYgh');
  expect(() =>
    applyEdits('abc', [
      { start: 0, end: 2, text: '' },
      { start: 1, end: 3, text: '' },
    ]),
  ).toThrowError(TypeError);
});

it('keeps the number of lines of what it blanks', () => {
  expect(blankOf('a\nb\nc', 0, 5, 'x')).toBe('x\n\n');
});

it('quotes any word so that nginx understands the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
      const bytes = Buffer.from(text.replace(/[\r\n]/g, ''), 'utf8').toString('latin1');
      expect(parseConfig(`a ${quoteWord(bytes)};`, 'f').directives[0]!.args[0]!.value).toBe(bytes);
    }),
  );
});
