import { expect, test } from 'vitest';
import type { Method } from '../../../src/balancer/balancer.ts';
import { createServer } from '../../../src/upstream/server.ts';
import { includeText } from '../../../src/upsync/targets/include-text.ts';

const plain = createServer('10.0.0.1:80');
const backup = createServer('10.0.0.2:80', { backup: true });

test.each<[string, Method, Parameters<typeof includeText>[0], string]>([
  [
    'attributes',
    'round_robin',
    [createServer('[::1]:80', { weight: 5, maxConns: 9, down: true })],
    'server [::1]:80 weight=5 max_fails=2 fail_timeout=10s down max_conns=9;\n',
  ],
  [
    'drain as down, slow_start left out',
    'round_robin',
    [createServer('10.0.0.1:80', { drain: true, slowStartMs: 9000 })],
    'server 10.0.0.1:80 weight=1 max_fails=2 fail_timeout=10s down;\n',
  ],
  [
    'backup',
    'least_conn',
    [plain, backup],
    'server 10.0.0.1:80 weight=1 max_fails=2 fail_timeout=10s;\nserver 10.0.0.2:80 weight=1 max_fails=2 fail_timeout=10s backup;\n',
  ],
  [
    'no backup where nginx refuses it',
    'ip_hash',
    [plain, backup],
    'server 10.0.0.1:80 weight=1 max_fails=2 fail_timeout=10s;\n',
  ],
  [
    'backups alone as servers, since nginx wants one',
    'round_robin',
    [backup],
    'server 10.0.0.2:80 weight=1 max_fails=2 fail_timeout=10s;\n',
  ],
  ['an empty list as one server that is down', 'round_robin', [], 'server 127.0.0.1:1 down;\n'],
])('writes %s', (_what, method, servers, text) => {
  expect(includeText(servers, method)).toBe(text);
});
