/** Deepest nesting read; attributes need one level. */
const MAX_DEPTH = 64;
const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/**
 * Parses the JSON value a text begins with as nginx-upsync-module's parser does, since what was written for it may rely on
 * that: what follows the value is ignored, of two members with the same name the first counts, numbers may have a leading
 * zero (`05`), any escape (`"\d"`) and any character may stand in a string, and control characters count as blanks.
 * @throws {SyntaxError} when the text does not begin with a complete JSON value.
 * Source: cJSON as nginx-upsync-module vendors it, `ngx_http_json.c`.
 */
export function parseLooseJson(text: string): unknown {
  const strict = parseStrict(text);
  return strict === undefined ? new Reader(text).value(0) : strict;
}

// Nearly every value is a flat object of strict JSON, which Node reads ten times as fast. With as many colons as members no
// name stands twice.
function parseStrict(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  let colons = 0;
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) colons++;
  return colons === Object.keys(value).length ? value : undefined;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): unknown {
    this.#skipBlanks();
    const text = this.#text;
    for (const [word, value] of [['null', null] as const, ['true', true] as const, ['false', false] as const])
      if (text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    switch (text[this.#at]) {
      case '"':
        return this.#string();
      case '{':
        return this.#object(depth + 1);
      case '[':
        return this.#array(depth + 1);
      default:
        return this.#number();
    }
  }

  #number(): number {
    // One leading zero may stand before more digits; a sign or an exponent may lack its own.
    const number = /-?0?(?:[1-9]\d*)?(?:\.\d+)?(?:[eE][+-]?\d*)?/y;
    number.lastIndex = this.#at;
    const found = number.exec(this.#text)?.[0] ?? '';
    if (!/^-?\d/.test(found)) throw this.#broken();
    this.#at += found.length;
    return Number(found.replace(/[eE][+-]?$/, '')) || 0;
  }

  #string(): string {
    let read = '';
    let from = this.#at + 1;
    for (let at = from; at < this.#text.length; at++) {
      const char = this.#text[at];
      if (char !== '"' && char !== '\\') continue;
      read += this.#text.slice(from, at);
      if (char === '"') {
        this.#at = at + 1;
        return read;
      }
      const code = /^u[0-9a-fA-F]{4}/.exec(this.#text.slice(at + 1, at + 6))?.[0];
      const escaped = this.#text[at + 1] ?? '';
      read +=
        code === undefined ? (ESCAPES[escaped] ?? escaped) : String.fromCharCode(parseInt(code.slice(1), 16));
      at += code?.length ?? 1;
      from = at + 1;
    }
    throw this.#broken();
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#each(depth, ']', () => items.push(this.value(depth)));
    return items;
  }

  #object(depth: number): Record<string, unknown> {
    const members = Object.create(null) as Record<string, unknown>;
    this.#each(depth, '}', () => {
      if (this.#text[this.#at] !== '"') throw this.#broken();
      const name = this.#string();
      this.#skipBlanks();
      if (this.#text[this.#at++] !== ':') throw this.#broken();
      const value = this.value(depth);
      if (!(name in members)) members[name] = value;
    });
    return members;
  }

  #each(depth: number, close: string, read: () => void): void {
    if (depth > MAX_DEPTH) throw this.#broken();
    this.#at++;
    this.#skipBlanks();
    if (this.#text[this.#at] === close) {
      this.#at++;
      return;
    }
    for (;;) {
      this.#skipBlanks();
      read();
      this.#skipBlanks();
      const next = this.#text[this.#at++];
      if (next === close) return;
      if (next !== ',') throw this.#broken();
    }
  }

  #skipBlanks(): void {
    // The end of the text is NaN, which is no blank either. A NUL ended the text for the module.
    while (this.#text.charCodeAt(this.#at) <= 32 && this.#text[this.#at] !== '\0') this.#at++;
  }

  #broken(): SyntaxError {
    return new SyntaxError(`no JSON at character ${this.#at}`);
  }
}
