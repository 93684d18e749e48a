import { ConfigError } from '../../config-error.ts';
import { endOfLuaBlock } from './lua-block.ts';

/**
 * One piece of an nginx configuration. Tokens lie end to end: their texts joined give the file back, byte for byte.
 * `space` holds blanks and comments; `lua` is the inside of a `*_by_lua_block`, without its braces.
 */
export interface Token {
  readonly kind: 'space' | 'word' | 'semicolon' | 'open' | 'close' | 'lua';
  /** Offsets into the text; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
  /** Line of the first character, from 1. */
  readonly line: number;
  /** For a word: what nginx understands, quotes and escapes taken away. */
  readonly value: string;
  /** For a word: the quote it began with. */
  readonly quote: '' | '"' | "'";
}

const ESCAPES: Readonly<Record<string, string>> = {
  t: '\t',
  r: '\r',
  n: '\n',
  '"': '"',
  "'": "'",
  '\\': '\\',
};

/**
 * Cuts a configuration into tokens by nginx's own rules: comments, both quotes, escapes, `${name}` inside words, and
 * Lua blocks, whose braces follow Lua. `text` has one character per byte (latin1), so offsets are byte offsets.
 * @throws {ConfigError} CONFIG_INVALID with nginx's words and the place.
 * Source: nginx, ngx_conf_file.c ngx_conf_read_token(); lua-nginx-module, "*_by_lua_block".
 */
export function tokenize(text: string, file: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  let line = 1;
  let words = 0;
  let depth = 0;
  let first = '';

  const push = (kind: Token['kind'], end: number, value = '', quote: Token['quote'] = ''): void => {
    if (end === position && kind === 'space') return;
    tokens.push({ kind, start: position, end, line, value, quote });
    for (let at = text.indexOf('\n', position); at !== -1 && at < end; at = text.indexOf('\n', at + 1))
      line++;
    position = end;
  };
  const fail = (reason: string): never => {
    throw new ConfigError(reason, { file, line });
  };

  while (position < text.length) {
    const character = text[position]!;
    if (isBlank(character) || character === '#') {
      push('space', endOfSpace(text, position));
    } else if (character === ';' || character === '{') {
      if (words === 0) fail(`unexpected "${character}"`);
      const block = character === '{';
      push(block ? 'open' : 'semicolon', position + 1);
      if (block && first.endsWith('_by_lua_block')) {
        const end = endOfLuaBlock(text, position);
        if (end === undefined) fail(`unexpected end of file, expecting "}" of "${first}"`);
        push('lua', end!);
        push('close', position + 1);
      } else if (block) depth++;
      words = 0;
    } else if (character === '}') {
      if (words > 0 || depth === 0) fail('unexpected "}"');
      depth--;
      push('close', position + 1);
    } else {
      const end =
        character === '"' || character === "'" ? endOfQuoted(text, position) : endOfWord(text, position);
      if (end === undefined) {
        line += text.slice(position).split('\n').length - 1;
        fail('unexpected end of file, expecting ";" or "}"');
      }
      const quoted = character === '"' || character === "'";
      const raw = quoted ? text.slice(position + 1, end! - 1) : text.slice(position, end);
      const value = unescape(raw);
      if (words === 0) first = value;
      words++;
      push('word', end!, value, quoted ? character : '');
      const next = text[position];
      if (quoted && next !== undefined && !isBlank(next) && !';{)'.includes(next))
        fail(`unexpected "${next}"`);
    }
  }
  if (words > 0) fail('unexpected end of file, expecting ";" or "}"');
  return tokens;
}

function isBlank(character: string): boolean {
  return character === ' ' || character === '\n' || character === '\t' || character === '\r';
}

function endOfSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    if (text[at] === '#') {
      const newline = text.indexOf('\n', at);
      at = newline === -1 ? text.length : newline + 1;
    } else if (isBlank(text[at]!)) at++;
    else break;
  }
  return at;
}

function endOfQuoted(text: string, from: number): number | undefined {
  const quote = text[from];
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) return at + 1;
  }
  return undefined;
}

// A brace right after a `$` belongs to the word: `${name}`. Quotes inside a word are ordinary characters.
function endOfWord(text: string, from: number): number | undefined {
  let variable = false;
  for (let at = from; at < text.length; at++) {
    const character = text[at]!;
    if (character === '{' && variable) continue;
    variable = character === '$';
    if (character === '\\') at++;
    else if (isBlank(character) || character === ';' || character === '{') return at;
  }
  return undefined;
}

function unescape(raw: string): string {
  return raw.includes('\\') ? raw.replace(/\\([\s\S])/g, (both, next: string) => ESCAPES[next] ?? both) : raw;
}
