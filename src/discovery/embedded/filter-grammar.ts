/** One comparison of a filter expression. `isNegated` covers `!=`, `not in`, `not contains` and `is not empty`. */
export interface Predicate {
  readonly kind: 'test';
  readonly selector: readonly string[];
  readonly operator: 'equals' | 'contains' | 'empty';
  readonly isNegated: boolean;
  readonly value: string;
}

export type Expression =
  | Predicate
  | { readonly kind: 'not'; readonly inner: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression };

interface Token {
  readonly kind: 'word' | 'text' | 'sign';
  readonly text: string;
  readonly at: number;
}

/** Deeper nesting than any person writes; keeps a hostile expression from exhausting the stack. */
const MAX_DEPTH = 100;
const MAX_LENGTH = 8192;
const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*"|`[^`]*`)|(==|!=|[()[\].])|([A-Za-z0-9_/+*:@%-]+))/y;

/**
 * Parses Consul's filter language without `matches`: `==`, `!=`, `in`, `not in`, `contains`, `is empty`, `and`, `or`,
 * `not`, parentheses. Throws what `fail` makes of the reason.
 * Source: Consul, "Filtering".
 */
export function parseFilter(text: string, fail: (reason: string) => Error): Expression {
  const tokens = tokenize(text, fail);
  let next = 0;
  let depth = 0;

  const peek = (): Token | undefined => tokens[next];
  const isWord = (word: string, ahead = 0) => {
    const token = tokens[next + ahead];
    return token?.kind === 'word' && token.text === word;
  };
  const isSign = (sign: string, ahead = 0) => {
    const token = tokens[next + ahead];
    return token?.kind === 'sign' && token.text === sign;
  };
  const unexpected = () => fail(`1:${(peek()?.at ?? text.length) + 1}: no match found`);
  const expectSign = (sign: string) => {
    if (!isSign(sign)) throw unexpected();
    next++;
  };

  function either(): Expression {
    let left = both();
    while (isWord('or')) {
      next++;
      left = { kind: 'or', left, right: both() };
    }
    return left;
  }

  function both(): Expression {
    let left = one();
    while (isWord('and')) {
      next++;
      left = { kind: 'and', left, right: one() };
    }
    return left;
  }

  function one(): Expression {
    if (++depth > MAX_DEPTH) throw fail('the expression is nested too deeply');
    try {
      if (isWord('not')) {
        next++;
        return { kind: 'not', inner: one() };
      }
      if (!isSign('(')) return test();
      next++;
      const inner = either();
      expectSign(')');
      return inner;
    } finally {
      depth--;
    }
  }

  function test(): Expression {
    // `value in selector` starts with the value; everything else with the selector.
    const isValueFirst =
      tokens[next]?.kind === 'text' || isWord('in', 1) || (isWord('not', 1) && isWord('in', 2));
    if (isValueFirst) {
      const value = literal();
      const isNegated = isWord('not');
      if (isNegated) next++;
      if (!isWord('in')) throw unexpected();
      next++;
      return { kind: 'test', selector: selector(), operator: 'contains', isNegated, value };
    }
    const path = selector();
    if (isSign('==') || isSign('!=')) {
      const isNegated = isSign('!=');
      next++;
      return { kind: 'test', selector: path, operator: 'equals', isNegated, value: literal() };
    }
    if (isWord('is')) {
      next++;
      const isNegated = isWord('not');
      if (isNegated) next++;
      if (!isWord('empty')) throw unexpected();
      next++;
      return { kind: 'test', selector: path, operator: 'empty', isNegated, value: '' };
    }
    const isNegated = isWord('not');
    if (isNegated) next++;
    if (isWord('matches')) throw fail('"matches" is not supported by this registry');
    if (!isWord('contains')) throw unexpected();
    next++;
    return { kind: 'test', selector: path, operator: 'contains', isNegated, value: literal() };
  }

  function selector(): string[] {
    const token = peek();
    if (token?.kind !== 'word' || !/^[A-Za-z]/.test(token.text)) throw unexpected();
    next++;
    const path = [token.text];
    for (;;) {
      const part = tokens[next + 1];
      if (isSign('.') && part?.kind === 'word') {
        path.push(part.text);
        next += 2;
      } else if (isSign('[') && part?.kind === 'text' && isSign(']', 2)) {
        path.push(part.text);
        next += 3;
      } else return path;
    }
  }

  function literal(): string {
    const token = peek();
    if (token === undefined || token.kind === 'sign') throw unexpected();
    next++;
    let value = token.text;
    // An unquoted number such as 1.5 comes as word, sign, word.
    if (token.kind === 'word' && /^-?\d+$/.test(value) && isSign('.') && tokens[next + 1]?.kind === 'word') {
      value += `.${tokens[next + 1]!.text}`;
      next += 2;
    }
    return value;
  }

  const expression = either();
  if (next < tokens.length) throw unexpected();
  return expression;
}

function tokenize(text: string, fail: (reason: string) => Error): Token[] {
  if (text.length > MAX_LENGTH) throw fail(`the expression is longer than ${MAX_LENGTH} characters`);
  const tokens: Token[] = [];
  const matcher = new RegExp(TOKEN);
  while (matcher.lastIndex < text.length) {
    const at = matcher.lastIndex;
    if (/^\s*$/.test(text.slice(at))) break;
    const found = matcher.exec(text);
    if (found === null) throw fail(`1:${at + 1}: no match found`);
    const [, quoted, sign, word] = found;
    if (quoted !== undefined) tokens.push({ kind: 'text', text: unquote(quoted), at });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign, at });
    else tokens.push({ kind: 'word', text: word!, at });
  }
  return tokens;
}

function unquote(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1);
  return text.slice(1, -1).replace(/\\(.)/g, '$1');
}
