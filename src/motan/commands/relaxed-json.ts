/**
 * Reads JSON as tolerantly as the library Motan reads commands with (fastjson): besides JSON it takes comments, names and text in
 * single quotes, names without quotes, line breaks and tabs in text, any number of commas where one may stand (in lists none as
 * well), and numbers as Java writes them (`+1`, `01`, `1.`, `1L`).
 * @throws {SyntaxError} for anything else. Source: fastjson 1.2, by running it.
 */
export function parseRelaxedJson(text: string): unknown {
  const source = text.replace(/^\ufeff/, '');
  try {
    return JSON.parse(source);
  } catch {
    // Not plain JSON; the tolerant reader decides, and says what is wrong.
  }
  return new Reader(source).whole();
}

const MAX_DEPTH = 50;
// No text can be read as blanks and comments in two ways, so that hostile input costs no more than its length.
const TOKEN =
  /(?:\s|\/\*(?:[^*]|\*(?!\/))*\*\/|\/\/[^\n]*(?=\n|$))*(?:([{}[\]:,])|("(?:[^"\\]|\\[^])*")|('(?:[^'\\]|\\[^])*')|([A-Za-z_$][\w$]*)|([+-]?\d[\d.eE+-]*[BSLFD]?)|$)/y;
const NUMBER = /^([+-]?\d+\.?\d*(?:[eE][+-]?\d+)?)[BSLFD]?$/;
const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([0-7])|([^]?))/g;
const ESCAPED: Readonly<Record<string, string>> = {
  ...{ b: '\b', t: '\t', n: '\n', v: '\v', f: '\f', F: '\f', r: '\r' },
  ...{ '"': '"', "'": "'", '/': '/', '\\': '\\' },
};

class Reader {
  readonly #text: string;
  #at = 0;
  #token: string | undefined;

  constructor(text: string) {
    this.#text = text;
    this.#next();
  }

  whole(): unknown {
    const value = this.#value(0);
    if (this.#token !== undefined) throw this.#unexpected();
    return value;
  }

  #value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new SyntaxError('it is nested too deeply');
    const token = this.#token;
    if (token === '{') return this.#object(depth);
    if (token === '[') return this.#array(depth);
    this.#next();
    if (token === 'null' || token === 'undefined') return null;
    if (token === 'true' || token === 'false') return token === 'true';
    if (token !== undefined && /^["']/.test(token)) return unquoted(token);
    const number = NUMBER.exec(token ?? '');
    if (number !== null) return Number(number[1]);
    throw new SyntaxError(`a value is missing${token === undefined ? '' : ` before ${token.slice(0, 20)}`}`);
  }

  #object(depth: number): unknown {
    const fields: [string, unknown][] = [];
    this.#next();
    this.#skipCommas();
    while (this.#token !== '}') {
      const name = this.#token;
      if (name === undefined || !/^["'\w$-]/.test(name)) throw this.#unexpected();
      this.#next();
      this.#expect(':');
      fields.push([/^["']/.test(name) ? unquoted(name) : name, this.#value(depth + 1)]);
      if (this.#token !== '}') this.#expect(',');
      this.#skipCommas();
    }
    this.#next();
    return Object.fromEntries(fields);
  }

  #array(depth: number): unknown {
    const items: unknown[] = [];
    this.#next();
    this.#skipCommas();
    while (this.#token !== ']') {
      items.push(this.#value(depth + 1));
      this.#skipCommas();
    }
    this.#next();
    return items;
  }

  #skipCommas(): void {
    while (this.#token === ',') this.#next();
  }

  #expect(token: string): void {
    if (this.#token !== token) throw this.#unexpected();
    this.#next();
  }

  #next(): void {
    TOKEN.lastIndex = this.#at;
    const match = TOKEN.exec(this.#text);
    if (match === null) throw new SyntaxError(`character ${this.#at} cannot be read`);
    this.#at = TOKEN.lastIndex;
    this.#token = match.slice(1).find((part) => part !== undefined);
  }

  #unexpected(): SyntaxError {
    return new SyntaxError(
      this.#token === undefined ? 'it is cut off' : `${this.#token.slice(0, 20)} is not expected there`,
    );
  }
}

function unquoted(token: string): string {
  return token.slice(1, -1).replace(ESCAPE, (whole, unicode, hex, octal, other) => {
    const code = [unicode, hex, octal].find((digits) => digits !== undefined) as string | undefined;
    if (code !== undefined) return String.fromCharCode(parseInt(code, 16));
    if (Object.hasOwn(ESCAPED, other as string)) return ESCAPED[other as string]!;
    throw new SyntaxError(`${whole} stands for nothing`);
  });
}
