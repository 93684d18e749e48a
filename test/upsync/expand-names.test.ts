import { expect, test } from 'vitest';
import { createServer } from '../../src/upstream/server.ts';
import { expandNames, hostNames } from '../../src/upsync/expand-names.ts';

const zone: Record<string, string[]> = { 'a.test': ['10.0.0.1', '2001:db8::1'], 'b.test': ['10.0.0.1'] };
const expand = (...servers: Parameters<typeof createServer>[]) =>
  expandNames(
    servers.map((one) => createServer(...one)),
    (host) => zone[host],
  );

test('a name becomes one server per address, of both families, with its own attributes', () => {
  expect(expand(['a.test:80', { weight: 3, backup: true }])).toEqual({
    servers: [
      createServer('10.0.0.1:80', { weight: 3, backup: true }),
      createServer('[2001:db8::1]:80', { weight: 3, backup: true }),
    ],
    missing: [],
  });
});

test('an address stays once, and one that is written out counts first', () => {
  const { servers } = expand(['a.test:80'], ['b.test:80'], ['10.0.0.1:80', { weight: 7 }], ['b.test:81']);
  expect(servers.map((server) => [server.address, server.weight])).toEqual([
    ['[2001:db8::1]:80', 1],
    ['10.0.0.1:80', 7],
    ['10.0.0.1:81', 1],
  ]);
});

test('a name without an address is left out and told', () => {
  expect(expand(['none.test:80'], ['unix:/run/a.sock'])).toEqual({
    servers: [createServer('unix:/run/a.sock')],
    missing: ['none.test'],
  });
});

test.each<[string, string[]]>([
  ['10.0.0.1:80', []],
  ['010.0.0.21:080', []],
  ['[fe80::1]:80', []],
  ['unix:/run/a.sock', []],
  ['1a.example:80', ['1a.example']],
  ['localhost:80', ['localhost']],
])('the names of %s are %j', (address, names) => {
  expect(hostNames([createServer(address), createServer(address)])).toEqual(names);
});
