import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createServer, type Server } from '../../../src/upstream/server.ts';
import {
  encodeBoot,
  encodeLists,
  encodeServer,
  encodeServers,
  encodeToken,
} from '../../../src/upsync/nginx/wire.ts';

const server: fc.Arbitrary<Server> = fc
  .record({
    address: fc.constantFrom('10.0.0.1:80', '[::1]:8080', 'unix:/run/app.sock'),
    weight: fc.integer({ min: 1, max: 1_000_000 }),
    maxFails: fc.nat(),
    failTimeoutMs: fc.nat().map((seconds) => seconds * 1000),
    down: fc.boolean(),
    backup: fc.boolean(),
    maxConns: fc.nat(),
    slowStartMs: fc.nat(),
    drain: fc.boolean(),
  })
  .map(({ address, ...attributes }) => createServer(address, attributes));

describe('the text the workers read', () => {
  it.each([
    [createServer('10.0.0.1:80'), 's 10.0.0.1:80 1 2 10000 - 0 0\n'],
    [createServer('[::1]:80', { weight: 5, down: true, drain: true }), 's [::1]:80 5 2 10000 dr 0 0\n'],
    [
      createServer('unix:/run/a.sock', { backup: true, maxConns: 7, slowStartMs: 30_000 }),
      's unix:/run/a.sock 1 2 10000 b 7 30000\n',
    ],
  ])('has one line per server', (given, line) => {
    expect(encodeServer(given)).toBe(line);
  });

  it('differs exactly when the lists differ', () => {
    fc.assert(
      fc.property(fc.array(server, { maxLength: 4 }), fc.array(server, { maxLength: 4 }), (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        expect(encodeServers(one) === encodeServers(other)).toBe(same);
      }),
    );
  });

  it('keeps every name on one line and in one word', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (name) => {
        const token = encodeToken(name);
        expect(token).toMatch(/^[\x21-\x7e]+$/);
        expect(decodeURIComponent(token)).toBe(Buffer.from(name).toString());
      }),
    );
  });

  it('counts what it carries, so that a cut-off body is recognised', () => {
    const text = encodeLists([
      { upstream: 'a', servers: [createServer('10.0.0.1:80')] },
      { upstream: 'b c', servers: [] },
    ]);
    expect(text).toBe('upsync-lists 1\nu a 1\ns 10.0.0.1:80 1 2 10000 - 0 0\nu b%20c 0\nend 2\n');
  });

  it('carries methods, hash keys and the lines of plain upstreams in the boot file', () => {
    const text = encodeBoot({
      upstreams: [
        {
          kind: 'upsync',
          name: 'a',
          balancer: { method: 'hash', seed: 3, loadFactor: 1.5 },
          hashKey: '$request_uri a',
          servers: [createServer('10.0.0.1:80')],
        },
        { kind: 'plain', name: 'p', lines: ['server 10.0.0.2:80 weight=1;'] },
      ],
    });
    expect(text.split('\n')).toEqual([
      'upsync-boot 1',
      'u a 1 hash 3 1.5 =$request_uri%20a',
      's 10.0.0.1:80 1 2 10000 - 0 0',
      'p p 1',
      'l server%2010.0.0.2:80%20weight=1;',
      'end 2',
      '',
    ]);
  });
});
