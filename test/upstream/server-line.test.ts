import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatServerLine,
  MAX_COUNT,
  parseServerLine,
  parseServerLines,
  parseServerWords,
} from '../../src/upstream/server-line.ts';
import { createServer, SERVER_DEFAULTS } from '../../src/upstream/server.ts';

describe('parseServerLine', () => {
  it.each([
    ['server 10.0.0.1:80;', '10.0.0.1:80', { maxFails: 1 }],
    ['server 10.0.0.1', '10.0.0.1:80', { maxFails: 1 }],
    ['  server\t[::1]  weight=7 ; ', '[::1]:80', { maxFails: 1, weight: 7 }],
    ['server unix:/run/app.sock down;', 'unix:/run/app.sock', { maxFails: 1, down: true }],
    ['server app.example:8080 resolve backup;', 'app.example:8080', { maxFails: 1, backup: true }],
    ['server 010.0.0.21:080;', '010.0.0.21:080', { maxFails: 1 }],
    [
      'server 10.0.0.1:80 weight=3 max_fails=0 fail_timeout=1m max_conns=9 slow_start=1500ms drain;',
      '10.0.0.1:80',
      { weight: 3, maxFails: 0, failTimeoutMs: 60_000, maxConns: 9, slowStartMs: 1500, drain: true },
    ],
    ['server 10.0.0.1:80 weight=99999999;', '10.0.0.1:80', { maxFails: 1, weight: 1_000_000 }],
    ['server 10.0.0.1:80 weight=1 weight=2;', '10.0.0.1:80', { maxFails: 1, weight: 2 }],
  ])('reads %s', (line, address, attributes) => {
    expect(parseServerLine(line)).toEqual(createServer(address, attributes));
  });

  it.each([
    ['server;', 'BAD_SERVER_LINE'],
    ['upstream x {', 'BAD_SERVER_LINE'],
    ['server 10.0.0.1:80 weight=0;', 'BAD_SERVER_LINE'],
    ['server 10.0.0.1:80 weight=-1;', 'BAD_SERVER_LINE'],
    ['server 10.0.0.1:80 weight=;', 'BAD_SERVER_LINE'],
    ['server 10.0.0.1:80 fail_timeout=500ms;', 'BAD_DURATION'],
    ['server 10.0.0.1:80 fail_timeout=1000ms;', 'BAD_DURATION'],
    ['server 10.0.0.1:80 fail_timeout=ten;', 'BAD_DURATION'],
    ['server 10.0.0.1:80 down=1;', 'BAD_SERVER_LINE'],
    ['server 10.0.0.1:80 colour=red;', 'BAD_SERVER_LINE'],
    ['server 10.0.0.1:0;', 'BAD_ADDRESS'],
    ['server 10.0.0.1:;', 'BAD_ADDRESS'],
    ['server ::1;', 'BAD_ADDRESS'],
  ])('refuses %s with %s', (line, code) => {
    expect(() => parseServerLine(line)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('takes the defaults it is given', () => {
    expect(parseServerWords(['10.0.0.1:80'], SERVER_DEFAULTS).maxFails).toBe(2);
  });
});

describe('parseServerLines', () => {
  it('reads a dump, skips comments and reports what it leaves out', () => {
    const text = [
      '# last good list',
      'server 127.0.0.1:8088 weight=10 max_fails=3 fail_timeout=10s;',
      '',
      'server 127.0.0.1:8089 weight=1 max_fails=2 fail_timeout=10s down; # away',
      'server 127.0.0.1:8088 weight=2;',
      'server nonsense:port; server 127.0.0.1:8090;',
    ].join('\r\n');
    const { servers, rejected } = parseServerLines(text, '/tmp/dump.conf');
    expect(servers.map((server) => [server.address, server.weight, server.down])).toEqual([
      ['127.0.0.1:8088', 10, false],
      ['127.0.0.1:8089', 1, true],
      ['127.0.0.1:8090', 1, false],
    ]);
    expect(rejected.map(({ where, code }) => [where, code])).toEqual([
      ['/tmp/dump.conf:5', 'DUPLICATE_ADDRESS'],
      ['/tmp/dump.conf:6', 'BAD_ADDRESS'],
    ]);
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseServerLines(text, 'f')));
  });
});

describe('formatServerLine', () => {
  it.each([
    [createServer('127.0.0.1:8088', { weight: 10, maxFails: 3 }), 'weight=10 max_fails=3 fail_timeout=10s;'],
    [createServer('127.0.0.1:8088', { down: true }), 'weight=1 max_fails=2 fail_timeout=10s down;'],
    [
      createServer('127.0.0.1:8088', {
        down: true,
        backup: true,
        maxConns: 5,
        slowStartMs: 30_000,
        drain: true,
      }),
      'weight=1 max_fails=2 fail_timeout=10s down backup max_conns=5 slow_start=30s drain;',
    ],
  ])('writes the dump format of nginx-upsync-module', (server, tail) => {
    expect(formatServerLine(server)).toBe(`server 127.0.0.1:8088 ${tail}`);
  });

  it('is read back as the same server', () => {
    const server = fc.record({
      address: fc.constantFrom('10.0.0.1:80', '[2001:db8::1]:8080', 'unix:/run/a.sock', 'app.example:1'),
      weight: fc.integer({ min: 1, max: 1_000_000 }),
      maxFails: fc.integer({ min: 0, max: MAX_COUNT }),
      failTimeoutMs: fc.integer({ min: 0, max: 2_000_000 }).map((seconds) => seconds * 1000),
      down: fc.boolean(),
      backup: fc.boolean(),
      maxConns: fc.integer({ min: 0, max: MAX_COUNT }),
      slowStartMs: fc.integer({ min: 0, max: 2_147_483_647 }),
      drain: fc.boolean(),
    });
    fc.assert(
      fc.property(server, (one) => {
        expect(parseServerLine(formatServerLine(one))).toEqual(one);
      }),
    );
  });
});
