import { MAX_WEIGHT, type Server } from './server-type.ts';

export { type Server } from './server-type.ts';

/** Attributes of a server whose registry entry names none. Source: nginx-upsync-module README, attribute defaults. */
export const SERVER_DEFAULTS: Omit<Server, 'address'> = Object.freeze({
  weight: 1,
  maxFails: 2,
  failTimeoutMs: 10_000,
  down: false,
  backup: false,
  maxConns: 0,
  slowStartMs: 0,
  drain: false,
});

/**
 * A server with the registry defaults, unless given otherwise.
 * @throws {RangeError} for a number out of its range: what came out of a mistaken calculation would leave its server, or all
 * of them, without requests.
 */
export function createServer(address: string, attributes: Partial<Omit<Server, 'address'>> = {}): Server {
  const all = { ...SERVER_DEFAULTS, ...attributes };
  check('weight', all.weight, 1, MAX_WEIGHT);
  check('maxFails', all.maxFails, 0);
  check('failTimeoutMs', all.failTimeoutMs, 0);
  check('maxConns', all.maxConns, 0);
  check('slowStartMs', all.slowStartMs, 0);
  // Written out: an object made by spreading keeps part of its fields outside of itself, and there are tens of thousands.
  return Object.freeze({
    address,
    weight: all.weight,
    maxFails: all.maxFails,
    failTimeoutMs: all.failTimeoutMs,
    down: all.down,
    backup: all.backup,
    maxConns: all.maxConns,
    slowStartMs: all.slowStartMs,
    drain: all.drain,
  });
}

/** True when both have the same address and the same attributes. */
export function sameServer(a: Server, b: Server): boolean {
  return (
    a.address === b.address &&
    a.weight === b.weight &&
    a.maxFails === b.maxFails &&
    a.failTimeoutMs === b.failTimeoutMs &&
    a.down === b.down &&
    a.backup === b.backup &&
    a.maxConns === b.maxConns &&
    a.slowStartMs === b.slowStartMs &&
    a.drain === b.drain
  );
}

function check(name: string, value: number, least: number, most: number = Number.MAX_SAFE_INTEGER): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`Expected ${name} to be a whole number from ${least} to ${most}, got ${value}`);
}
