import { UpsyncError } from '../../upstream/errors.ts';
import { JAVA_SPACE } from './pattern.ts';

/** One side of a route rule: an IPv4 address or a prefix of one. */
export type AddressTest = (ip: string) => boolean;

/** `from to to`: a client whose address passes `from` only uses servers whose host passes `to`. */
export interface RouteRule {
  readonly from: AddressTest;
  readonly to: AddressTest;
}

const SIDE = /^!?[0-9.]*\*?$/;

/**
 * Reads a route rule such as `10.73.* to !10.73.1.2`: blanks mean nothing, `!` in front negates, `*` at the end makes a prefix.
 * @throws {UpsyncError} BAD_ROUTE_RULE where Motan skips the rule.
 */
export function parseRouteRule(text: string): RouteRule {
  const sides = text.replace(JAVA_SPACE, '').split('to');
  // Java's split drops empty pieces at the end.
  while (sides.length > 0 && sides.at(-1) === '') sides.pop();
  const [from, to] = sides;
  if (sides.length !== 2 || from === '' || !SIDE.test(from!) || !SIDE.test(to!))
    throw new UpsyncError(
      'BAD_ROUTE_RULE',
      'a route rule must read "from to to", each side an address or a prefix with * at its end; it is skipped',
    );
  return { from: addressTest(from!), to: addressTest(to!) };
}

function addressTest(side: string): AddressTest {
  const isNegated = side.startsWith('!');
  const pattern = isNegated ? side.slice(1) : side;
  const prefix = pattern.endsWith('*') ? pattern.slice(0, -1) : undefined;
  return (ip) => (prefix === undefined ? ip === pattern : ip.startsWith(prefix)) !== isNegated;
}
