import { ConfigError, type Place } from '../../config-error.ts';
import { type Token, tokenize } from './tokenize.ts';

/** One argument of a directive: a token of the kind `word`. */
export type Word = Token;

/** The part of a block between its braces. */
export interface Block {
  /** Offset behind the `{`. */
  readonly start: number;
  /** Offset of the `}`. */
  readonly end: number;
  /** Empty for a Lua block, whose inside is not nginx's. */
  readonly directives: readonly Directive[];
}

/** One directive: a name, arguments, and either a semicolon or a block. `line` is where nginx would report it. */
export interface Directive extends Place {
  readonly name: string;
  readonly args: readonly Word[];
  /** Offset of the name. */
  readonly start: number;
  /** Offset behind the `;` or the `}`. */
  readonly end: number;
  readonly block?: Block;
}

/** One file of a configuration, parsed. `text` has one character per byte (latin1). */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
  readonly directives: readonly Directive[];
}

/**
 * Reads one configuration file (its includes stay unread) without knowing what the directives mean.
 * @throws {ConfigError} CONFIG_INVALID with nginx's words and the place.
 */
export function parseConfig(text: string, path: string): ConfigFile {
  const reader = new Reader(tokenize(text, path), path, text);
  const directives = reader.directives(true);
  return { path, text, directives };
}

class Reader {
  readonly #tokens: readonly Token[];
  readonly #path: string;
  readonly #text: string;
  #next = 0;

  constructor(tokens: readonly Token[], path: string, text: string) {
    this.#tokens = tokens;
    this.#path = path;
    this.#text = text;
  }

  directives(top: boolean): Directive[] {
    const found: Directive[] = [];
    for (;;) {
      const token = this.#tokens[this.#next];
      if (token === undefined) {
        if (top) return found;
        const line = this.#text.split('\n').length;
        throw new ConfigError('unexpected end of file, expecting "}"', { file: this.#path, line });
      }
      // The tokenizer let no brace close that was not opened.
      if (token.kind === 'close') return found;
      if (token.kind === 'space') this.#next++;
      else found.push(this.#directive());
    }
  }

  #directive(): Directive {
    const args: Word[] = [];
    let name: Word | undefined;
    for (;;) {
      const token = this.#tokens[this.#next++]!;
      if (token.kind === 'space') continue;
      if (token.kind === 'word') {
        if (name === undefined) name = token;
        else args.push(token);
        continue;
      }
      // nginx reports a directive by the line on which it ends.
      const { start, value } = name!;
      const base = { name: value, args, start, end: token.end, file: this.#path, line: token.line };
      if (token.kind === 'semicolon') return base;
      const lua = this.#tokens[this.#next]?.kind === 'lua';
      if (lua) this.#next++;
      const directives = lua ? [] : this.directives(false);
      const close = this.#tokens[this.#next++]!;
      base.end = close.end;
      return { ...base, block: { start: token.end, end: close.start, directives } };
    }
  }
}
