import type { Balancer, BalancerOptions, Method, Peer } from '../../src/balancer/balancer.ts';
import { createBalancer } from '../../src/balancer/create.ts';
import { createServer, type Server } from '../../src/upstream/server.ts';

export { METHODS } from '../../src/balancer/methods.ts';

export function optionsOf(method: Method, seed = 0): BalancerOptions {
  return { method, seed, loadFactor: 1.25 };
}

export function balance(method: Method, servers: readonly Server[], previous?: Balancer): Balancer {
  return createBalancer(optionsOf(method), servers, previous);
}

/** Servers named by one word each, for instance `a`, on port 80. */
export function list(...entries: (string | [string, Partial<Server>])[]): Server[] {
  return entries.map((entry) =>
    typeof entry === 'string' ? createServer(`${entry}:80`) : createServer(`${entry[0]}:80`, entry[1]),
  );
}

/** One pick, still open; its server's name without the port. */
export function pickOne(balancer: Balancer, key = '', tried: Peer[] = [], now = 1000): Peer | undefined {
  return balancer.pick({ now, key, tried });
}

export function nameOf(peer: Peer | undefined): string {
  return peer === undefined ? '-' : peer.server.address.replace(/:80$/, '');
}

/** Where each key goes, one after the other, each request ended at once. */
export function mapKeys(balancer: Balancer, keys: readonly string[]): string[] {
  return keys.map((key) => {
    const peer = pickOne(balancer, key);
    if (peer !== undefined) balancer.done(peer, false, 1000, 1);
    return nameOf(peer);
  });
}

/** How many of `count` requests, each ended at once, go to each server. */
export function countPicks(balancer: Balancer, count: number, now = 1000, key = ''): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const peer = pickOne(balancer, key, [], now);
    if (peer !== undefined) balancer.done(peer, false, now, 1);
    counts[nameOf(peer)] = (counts[nameOf(peer)] ?? 0) + 1;
  }
  return counts;
}
