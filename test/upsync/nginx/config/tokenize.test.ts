import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Token, tokenize } from '../../../../src/upsync/nginx/config/tokenize.ts';

const joined = (text: string, tokens: readonly Token[]): string =>
  tokens.map(({ start, end }) => text.slice(start, end)).join('');
const words = (text: string): string[] =>
  tokenize(text, 'f')
    .filter(({ kind }) => kind === 'word')
    .map(({ value }) => value);

describe('words as nginx understands them', () => {
  const rows: readonly (readonly [string, string, readonly string[]])[] = [
    ['plain words', 'a b\tc;', ['a', 'b', 'c']],
    ['CRLF', 'a b;\r\nc d;\r\n', ['a', 'b', 'c', 'd']],
    ['double quotes', 'a "b c;{}#";', ['a', 'b c;{}#']],
    ['single quotes', 'a \'b "c"\';', ['a', 'b "c"']],
    ['escapes in quotes', String.raw`a "x\"y\\z\t\n\r\q";`, ['a', 'x"y\\z\t\n\r\\q']],
    ['escapes in a bare word', String.raw`a x\ y\;z;`, ['a', String.raw`x\ y\;z`]],
    ['escaped quote in a bare word', String.raw`a x\"y;`, ['a', 'x"y']],
    ['a quote inside a bare word is a character', `a x"y z";`, ['a', 'x"y', 'z"']],
    ['variables in braces', 'set $x ${host}-${uri};', ['set', '$x', '${host}-${uri}']],
    ['a brace that is no variable opens a block', 'if x{ a; }', ['if', 'x', 'a']],
    ['a hash inside a word is a character', 'a b#c;', ['a', 'b#c']],
    ['a hash after a blank starts a comment', 'a b # c;\n d;', ['a', 'b', 'd']],
    ['a comment ends the line only', 'a; # } { " \' \nb;', ['a', 'b']],
    ['quotes over lines', 'a "b\nc";', ['a', 'b\nc']],
    ['a closing bracket right after a quote', 'if ($a = "b") { c; }', ['if', '($a', '=', 'b', ')', 'c']],
    ['a byte order mark is part of the first word', '\xef\xbb\xbfa b;', ['\xef\xbb\xbfa', 'b']],
    ['bytes above ASCII', 'a "caf\xc3\xa9";', ['a', 'caf\xc3\xa9']],
    ['an empty quoted word', 'a "" b;', ['a', '', 'b']],
    [
      'a regular expression with braces in quotes',
      'location ~ "^/\\d{3}$" { }',
      ['location', '~', '^/\\d{3}$'],
    ],
  ];
  it.each(rows)('%s', (_title, text, expected) => {
    expect(words(text)).toEqual(expected);
    expect(joined(text, tokenize(text, 'f'))).toBe(text);
  });
});

describe('Lua blocks', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['nested tables', ' local t = { { 1 }, { 2 } } '],
    ['a brace in a string', ' local s = "}" .. \'{\' '],
    ['an escaped quote before a brace', String.raw` local s = "\"}" .. '\'}' `],
    ['a brace in a line comment', ' -- } {\n x() '],
    ['a brace in a long comment', ' --[[ } ]] --[==[ ]] } ]==] x() '],
    ['a brace in a long string', ' local s = [[ } ]] .. [=[ ]] } ]=] '],
    ['an index that looks like a long bracket', ' local s = t[ [[k]] ] local u = t[1] '],
    ['nginx comment signs and semicolons', ' local n = #t; x() # no comment '],
    ['a quote without another one on its line', ' x("a\\\n{ } " y = \'\n z() '],
    ['nothing', ''],
  ];
  it.each(rows)('%s', (_title, lua) => {
    const text = `content_by_lua_block {${lua}}\nnext a;`;
    const tokens = tokenize(text, 'f');
    expect(joined(text, tokens)).toBe(text);
    const inside = tokens
      .filter(({ kind }) => kind === 'lua')
      .map(({ start, end }) => text.slice(start, end));
    expect(inside.join('')).toBe(lua);
    expect(tokens.filter(({ kind }) => kind === 'word').map(({ value }) => value)).toEqual([
      'content_by_lua_block',
      'next',
      'a',
    ]);
  });

  it('takes arguments before the brace', () => {
    expect(words('set_by_lua_block $x { return "}" } a;')).toEqual(['set_by_lua_block', '$x', 'a']);
  });
});

describe('errors in the words of nginx', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['a b', 'unexpected end of file, expecting ";" or "}" in f:1'],
    ['a "b;\n\n', 'unexpected end of file, expecting ";" or "}" in f:3'],
    ['a;\n;', 'unexpected ";" in f:2'],
    ['a;\n{', 'unexpected "{" in f:2'],
    ['a b\n}', 'unexpected "}" in f:2'],
    ['a "b"c;', 'unexpected "c" in f:1'],
    ['\nx_by_lua_block { [[} }', 'unexpected end of file, expecting "}" of "x_by_lua_block" in f:2'],
  ];
  it.each(rows)('%j gives %s', (text, message) => {
    expect(() => tokenize(text, 'f')).toThrowError(message);
  });
});

it('counts lines of every token', () => {
  const tokens = tokenize('a\nb\n"c\nd"\n;\n# x\ne;', 'f').filter(({ kind }) => kind !== 'space');
  expect(tokens.map(({ line }) => line)).toEqual([1, 2, 3, 5, 7, 7]);
});

it('loses and invents no byte, whatever the text', () => {
  const piece = fc.constantFrom(
    'a',
    ' ',
    '\n',
    '\r\n',
    ';',
    '{',
    '}',
    '"',
    "'",
    '\\',
    '#',
    '$',
    '${',
    '[[',
    ']]',
    '--',
    'x_by_lua_block',
    '\xff',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join('');
      let tokens: Token[];
      try {
        tokens = tokenize(text, 'f');
      } catch {
        return;
      }
      expect(joined(text, tokens)).toBe(text);
    }),
    { numRuns: 3000 },
  );
});
