import { type Expression, parseFilter, type Predicate } from './filter-grammar.ts';
import { HttpError } from './http/errors.ts';
import { toBoolean } from './http/query.ts';

const FAILED = 'Failed to create boolean expression evaluator: ';

/** A test made from a `filter=` expression; everything passes when there is none. */
export type Filter = (item: unknown) => boolean;

/**
 * Compiles a filter expression against a shape: an object with every selectable member, in which `{ '*': … }` stands for
 * a map with free keys and a one-element array for a list.
 * @throws {HttpError} 500 with Consul's words for an expression that does not parse, names an unknown selector, or uses
 * `matches`, which is refused since a stranger's regular expression could stall the process.
 */
export function compileFilter(text: string, shape: unknown): Filter {
  if (text === '') return () => true;
  const expression = parseFilter(text, (reason) => new HttpError(500, FAILED + reason));
  checkSelectors(expression, shape);
  return (item) => holds(expression, item);
}

function checkSelectors(expression: Expression, shape: unknown): void {
  if (expression.kind === 'not') return checkSelectors(expression.inner, shape);
  if (expression.kind !== 'test') {
    checkSelectors(expression.left, shape);
    return checkSelectors(expression.right, shape);
  }
  let at = shape;
  for (const part of expression.selector) {
    if (Array.isArray(at)) at = at[0];
    const members = typeof at === 'object' && at !== null ? (at as Record<string, unknown>) : {};
    at = Object.hasOwn(members, part) ? members[part] : members['*'];
    if (at === undefined)
      throw new HttpError(
        500,
        `${FAILED}Selector ${JSON.stringify(expression.selector.join('.'))} is not valid`,
      );
  }
  checkOperator(expression, at);
}

// Text and numbers compare, text and collections contain, collections are empty or not: as Consul's types allow.
function checkOperator(test: Predicate, leaf: unknown): void {
  const isCollection = typeof leaf === 'object' && leaf !== null;
  const fits = {
    equals: !isCollection,
    contains: isCollection || typeof leaf === 'string',
    empty: isCollection,
  };
  const name = JSON.stringify(test.selector.join('.'));
  if (!fits[test.operator]) throw new HttpError(500, `${FAILED}Invalid match operator for selector: ${name}`);
  if (test.operator !== 'equals') return;
  const isOfType =
    typeof leaf === 'string' ||
    (typeof leaf === 'number' ? /^-?\d{1,19}$/.test(test.value) : toBoolean(test.value) !== undefined);
  if (!isOfType) throw new HttpError(500, `${FAILED}Failed to coerce value for selector ${name}`);
}

function holds(expression: Expression, item: unknown): boolean {
  switch (expression.kind) {
    case 'and':
      return holds(expression.left, item) && holds(expression.right, item);
    case 'or':
      return holds(expression.left, item) || holds(expression.right, item);
    case 'not':
      return !holds(expression.inner, item);
    case 'test':
      return testAt(item, expression.selector, expression);
  }
}

// A list on the way means "any element", as in Consul.
function testAt(value: unknown, selector: readonly string[], test: Predicate): boolean {
  if (selector.length === 0) return testValue(value, test);
  if (Array.isArray(value)) return value.some((item) => testAt(item, selector, test));
  const name = selector[0]!;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return test.isNegated;
  return testAt((value as Record<string, unknown>)[name], selector.slice(1), test);
}

function testValue(value: unknown, test: Predicate): boolean {
  return raw(value, test) !== test.isNegated;
}

function raw(value: unknown, test: Predicate): boolean {
  if (typeof value === 'boolean') return value === toBoolean(test.value);
  if (test.operator === 'equals') return asText(value) === test.value;
  if (test.operator === 'empty') {
    if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
    return value === '' || value === null || value === undefined;
  }
  if (Array.isArray(value)) return value.some((item) => asText(item) === test.value);
  if (typeof value === 'object' && value !== null) return Object.hasOwn(value, test.value);
  return typeof value === 'string' && value.includes(test.value);
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
}
