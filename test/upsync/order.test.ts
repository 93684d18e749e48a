import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Method } from '../../src/balancer/balancer.ts';
import { createServer } from '../../src/upstream/server.ts';
import { orderServers } from '../../src/upsync/order.ts';

const servers = (...hosts: number[]) => hosts.map((host) => createServer(`10.0.0.${host}:80`));
const hosts = (list: readonly { address: string }[]) =>
  list.map((server) => Number(server.address.split(/[.:]/)[3]));
const lists = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 20 });

describe('round robin and its like', () => {
  test.each<[string, number[], number[], number[]]>([
    ['a batch stands in reverse of the order of the registry', [], [1, 2, 3], [3, 2, 1]],
    ['a new server goes first', [2, 1], [1, 2, 3], [3, 2, 1]],
    ['a removed server leaves the others where they are', [3, 2, 1], [1, 3], [3, 1]],
    ['a whole exchange', [1], [8, 9], [9, 8]],
    ['nothing new keeps the order of this host', [2, 3, 1], [1, 2, 3], [2, 3, 1]],
  ])('%s', (_title, current, wanted, expected) => {
    expect(hosts(orderServers(servers(...current), servers(...wanted), 'round_robin'))).toEqual(expected);
  });

  test('a change of attributes keeps the place and takes the new attributes', () => {
    const changed = [createServer('10.0.0.1:80'), createServer('10.0.0.2:80', { weight: 9, down: true })];
    expect(orderServers(servers(2, 1), changed, 'least_conn')).toEqual([changed[1], changed[0]]);
  });

  test('holds the wanted servers exactly, survivors first to last as they were, new ones before them', () => {
    fc.assert(
      fc.property(lists, lists, (current, wanted) => {
        const ordered = hosts(orderServers(servers(...current), servers(...wanted), 'random'));
        const stay = current.filter((host) => wanted.includes(host));
        const fresh = wanted.filter((host) => !current.includes(host)).reverse();
        expect(ordered).toEqual([...fresh, ...stay]);
        expect(hosts(orderServers(servers(...ordered), servers(...wanted), 'random'))).toEqual(ordered);
      }),
    );
  });
});

describe.each<Method>(['ip_hash', 'hash', 'hash_consistent', 'bounded_hash'])('%s', (method) => {
  test('has one order for one set of servers, whatever came before', () => {
    fc.assert(
      fc.property(lists, lists, lists, (one, other, wanted) => {
        const shuffled = [...wanted].reverse();
        expect(orderServers(servers(...one), servers(...wanted), method)).toEqual(
          orderServers(servers(...other), servers(...shuffled), method),
        );
      }),
    );
  });
});
