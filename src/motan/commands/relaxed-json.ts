/**
 * Reads JSON as tolerantly as the library Motan reads commands with (fastjson): besides JSON it takes comments, names and text in
 * single quotes, names without quotes, and a comma too many at the end of a list or object.
 * @throws {SyntaxError} for anything else.
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
  /(?:\s|\/\*(?:[^*]|\*(?!\/))*\*\/|\/\/[^\n]*(?=\n|$))*(?:([{}[\]:,])|("(?:[^"\\\n]|\\.)*")|('(?:[^'\\\n]|\\.)*')|([A-Za-z_$][\w$]*)|(-?\d[\d.eE+-]*)|$)/y;

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
    if (token !== undefined && /^-?\d/.test(token)) return JSON.parse(token) as number;
    throw new SyntaxError(`a value is missing${token === undefined ? '' : ` before ${token.slice(0, 20)}`}`);
  }

  #object(depth: number): unknown {
    const fields: [string, unknown][] = [];
    this.#next();
    while (this.#token !== '}') {
      const name = this.#token;
      if (name === undefined || !/^["'\w$-]/.test(name)) throw this.#unexpected();
      this.#next();
      this.#expect(':');
      fields.push([/^["']/.test(name) ? unquoted(name) : name, this.#value(depth + 1)]);
      if (this.#token !== '}') this.#expect(',');
    }
    this.#next();
    return Object.fromEntries(fields);
  }

  #array(depth: number): unknown {
    const items: unknown[] = [];
    this.#next();
    while (this.#token !== ']') {
      items.push(this.#value(depth + 1));
      if (this.#token !== ']') this.#expect(',');
    }
    this.#next();
    return items;
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
  const inner = token.slice(1, -1).replace(/\\'/g, "'");
  return JSON.parse(`"${token.startsWith("'") ? inner.replace(/"/g, '\\"') : inner}"`) as string;
}
