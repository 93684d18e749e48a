import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SourceError } from '../../src/discovery/source-error.ts';
import { createServer } from '../../src/upstream/server.ts';
import { follow } from '../../src/upsync/follow.ts';
import { FakeSource } from '../helpers/fake-source.ts';

const servers = (...hosts: number[]) => hosts.map((host) => createServer(`10.0.0.${host}:80`));
let folder: string;
let source: FakeSource;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upsync-follow-'));
  source = new FakeSource();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('begins with the dump, goes on with the registry, and keeps the last list when the loop is left', async () => {
  const dump = join(folder, 'a.conf');
  await writeFile(dump, 'server 10.0.0.5:80 weight=1 max_fails=2 fail_timeout=10s;\n');
  source.fail(new SourceError('SOURCE_UNREACHABLE', 'down'));
  const seen: [string, number, readonly string[]][] = [];
  for await (const { origin, version, servers: list } of follow(source, { dump, random: () => 0 })) {
    seen.push([origin.kind, version, list.map((server) => server.address)]);
    if (seen.length === 1) source.set(servers(1, 2));
    else if (seen.length === 2) {
      source.set([]);
      source.set(servers(3));
    } else break;
  }
  expect(seen).toEqual([
    ['dump', 1, ['10.0.0.5:80']],
    ['registry', 2, ['10.0.0.2:80', '10.0.0.1:80']],
    ['registry', 3, ['10.0.0.3:80']],
  ]);
  expect(await readFile(dump, 'utf8')).toBe('server 10.0.0.3:80 weight=1 max_fails=2 fail_timeout=10s;\n');
  expect(source.open).toBe(0);
});

test('yields nothing before there is a list, and ends with its signal', async () => {
  const stop = new AbortController();
  const lists = follow(source, { signal: stop.signal });
  const first = lists.next();
  source.set(servers(1));
  expect((await first).value).toMatchObject({ upstream: 'fake registry', version: 2 });
  const next = lists.next();
  stop.abort();
  expect((await next).done).toBe(true);
  expect(source.open).toBe(0);
});
