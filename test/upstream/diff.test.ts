import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffServers, sameServers } from '../../src/upstream/diff.ts';
import { createServer, type Server } from '../../src/upstream/server.ts';

const list = fc.uniqueArray(
  fc
    .record({
      host: fc.integer({ min: 1, max: 9 }),
      weight: fc.integer({ min: 1, max: 3 }),
      down: fc.boolean(),
    })
    .map(({ host, weight, down }) => createServer(`10.0.0.${host}:80`, { weight, down })),
  { selector: (server) => server.address },
);

describe('diffServers', () => {
  it('names what came, what went and what changed', () => {
    const [a, b, c] = ['a:1', 'b:1', 'c:1'].map((address) => createServer(address));
    const heavier = createServer('b:1', { weight: 7 });
    expect(diffServers([a!, b!], [c!, heavier])).toEqual({
      added: [c],
      removed: [a],
      changed: [{ before: b, after: heavier }],
    });
  });

  it('leads from the one list to the other', () => {
    fc.assert(
      fc.property(list, list, (before, after) => {
        const { added, removed, changed } = diffServers(before, after);
        const result = new Map<string, Server>(before.map((server) => [server.address, server]));
        for (const server of removed) result.delete(server.address);
        for (const change of changed) result.set(change.after.address, change.after);
        for (const server of added) result.set(server.address, server);
        expect(sameServers([...result.values()], after)).toBe(true);
      }),
    );
  });
});

describe('sameServers', () => {
  it('ignores the order', () => {
    fc.assert(
      fc.property(list, (servers) => {
        expect(sameServers(servers, [...servers].reverse())).toBe(true);
      }),
    );
  });

  it('sees one changed attribute and one missing server', () => {
    const [a, b] = [createServer('a:1'), createServer('b:1')];
    expect(sameServers([a, b], [a, createServer('b:1', { drain: true })])).toBe(false);
    expect(sameServers([a, b], [a])).toBe(false);
  });
});
