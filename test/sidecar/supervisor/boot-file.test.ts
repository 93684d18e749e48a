import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { updateBoot, writeBoot } from '../../../src/sidecar/supervisor/boot-file.ts';
import { createServer, type Server } from '../../../src/upstream/server.ts';
import type { BootConfig, BootUpstream } from '../../../src/upsync/nginx/boot.ts';
import { withLists } from '../../../src/upsync/nginx/boot-lists.ts';
import { encodeBoot } from '../../../src/upsync/nginx/wire.ts';
import { scratchFolder } from '../../helpers/scratch-folder.ts';

const servers = (...hosts: number[]): Server[] => hosts.map((host) => createServer(`10.0.0.${host}:80`));
const upstream = (name: string, list: readonly Server[], hashKey?: string): BootUpstream => ({
  kind: 'upsync',
  name,
  balancer: { method: 'hash', seed: 0, loadFactor: 1.25 },
  ...(hashKey !== undefined && { hashKey }),
  servers: list,
});
const boot: BootConfig = {
  veiled: true,
  upstreams: [
    upstream('a', servers(1, 2)),
    { kind: 'plain', name: 'u', lines: ['server 10.9.0.1:80;', 'u a 1'] },
    upstream('a b', servers(3), '$host x'),
    upstream('none', []),
    upstream('last', servers(4, 5, 6)),
  ],
};

it.each<[string, Record<string, readonly Server[]>]>([
  ['no list', {}],
  ['a shorter and a longer list', { a: servers(7), 'a b': servers(1, 2, 3) }],
  ['a list where there was none, and none where there was one', { none: servers(8), last: [] }],
  ['lists of upstreams it does not have, or that are not ours', { u: servers(1), other: servers(2) }],
])('a boot file with %s is as if it had been written so', (_what, lists) => {
  const file = path.join(scratchFolder(), 'boot');
  writeBoot(file, boot);
  expect(readFileSync(file, 'utf8')).toBe(encodeBoot(boot));
  const other = new Map(Object.entries(lists));
  updateBoot(file, other);
  expect(readFileSync(file, 'utf8')).toBe(encodeBoot(withLists(boot, other)));
  expect(statSync(file).mode & 0o777).toBe(0o600);
});
