import { UpsyncError } from '../../upstream/errors.ts';

/** True when a command's pattern covers an interface path. */
export type PathMatcher = (path: string) => boolean;

const MAX_PATTERN = 16_384;
const MAX_DEPTH = 200;
// Java's \s; JavaScript's takes in more characters.
export const JAVA_SPACE = /[ \t\n\v\f\r]+/g;

/**
 * Compiles a pattern of a Motan command: path tokens combined with `( )`, `!`, `&` and `|`, binding in that order; blanks mean
 * nothing. A token with `*` covers every path that starts with what stands before its first `*`, any other only itself.
 *
 * As in Motan, an operator `&` or `|` at the very start has "false" on its left, and an empty pattern covers nothing.
 * `(|a)` throws BAD_PATTERN only when it is asked about a path that `a` does not cover, as in Motan.
 * @throws {UpsyncError} BAD_PATTERN where Motan throws: doubled, trailing or misplaced operators, other characters, and
 * parentheses that do not pair or hold nothing.
 */
export function compilePattern(expression: string): PathMatcher {
  if (expression === '') return () => false;
  if (expression.length > MAX_PATTERN) throw badPattern(`it is longer than ${MAX_PATTERN} characters`);
  const tokens = expression.replace(JAVA_SPACE, '').match(/[a-zA-Z0-9_$.*]+|[\s\S]/g) ?? [];
  const reader = new PatternReader(tokens);
  const matcher = reader.expression(0);
  reader.expectEnd();
  return matcher;
}

/** One-off form of `compilePattern`. */
export function matchPattern(expression: string | undefined, path: string): boolean {
  return expression === undefined ? false : compilePattern(expression)(path);
}

class PatternReader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  /** `and ('|' and)*` */
  expression(depth: number): PathMatcher {
    if (depth > MAX_DEPTH) throw badPattern(`its parentheses are nested more than ${MAX_DEPTH} deep`);
    if (this.#peek() !== '|')
      return any(this.#chain('|', [this.#conjunction(depth)], () => this.#conjunction(depth, true)));
    const rest = any(this.#chain('|', [never], () => this.#conjunction(depth, true)));
    return depth === 0 ? rest : orThrow(rest);
  }

  expectEnd(): void {
    const rest = this.#peek();
    if (rest !== undefined) throw badPattern(`${JSON.stringify(rest)} is not expected there`);
  }

  #conjunction(depth: number, afterOperator = false): PathMatcher {
    const first = this.#peek() === '&' && !afterOperator ? [never] : [this.#operand(depth)];
    return all(this.#chain('&', first, () => this.#operand(depth)));
  }

  #operand(depth: number): PathMatcher {
    let isNegated = false;
    for (; this.#peek() === '!'; this.#at++) isNegated = !isNegated;
    const operand = this.#peek() === '(' ? this.#group(depth) : this.#path();
    return isNegated ? (path) => !operand(path) : operand;
  }

  #group(depth: number): PathMatcher {
    this.#at++;
    const inner = this.expression(depth + 1);
    if (this.#peek() !== ')') throw badPattern('a parenthesis is not closed');
    this.#at++;
    return inner;
  }

  #path(): PathMatcher {
    const token = this.#peek();
    if (token === undefined) throw badPattern('it ends where a path is expected');
    if (!/^[a-zA-Z0-9_$.*]/.test(token))
      throw badPattern(`${JSON.stringify(token)} stands where a path is expected`);
    this.#at++;
    const star = token.indexOf('*');
    if (star < 0) return (path) => path === token;
    const prefix = token.slice(0, star);
    return (path) => path.startsWith(prefix);
  }

  #chain(operator: string, parts: PathMatcher[], next: () => PathMatcher): PathMatcher[] {
    while (this.#peek() === operator) {
      this.#at++;
      parts.push(next());
    }
    return parts;
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }
}

const never: PathMatcher = () => false;

// Every part is asked, as in Motan: one that throws is heard even where the others decide.
function any(parts: readonly PathMatcher[]): PathMatcher {
  if (parts.length === 1) return parts[0]!;
  return (path) => parts.map((part) => part(path)).includes(true);
}

function all(parts: readonly PathMatcher[]): PathMatcher {
  if (parts.length === 1) return parts[0]!;
  return (path) => !parts.map((part) => part(path)).includes(false);
}

// Found by running Motan 1.2.6: `(|a)` matches a, and for any other path its evaluation finds nothing before the operator.
function orThrow(rest: PathMatcher): PathMatcher {
  return (path) => {
    if (rest(path)) return true;
    throw badPattern('nothing stands before "|" in a parenthesis');
  };
}

function badPattern(why: string): UpsyncError {
  return new UpsyncError('BAD_PATTERN', `the pattern cannot be read: ${why}; the command is passed over`);
}
