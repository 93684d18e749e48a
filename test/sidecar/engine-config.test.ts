import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type EngineConfig,
  parseEngineConfig,
  readEngineConfig,
  writeEngineConfig,
} from '../../src/sidecar/engine-config.ts';
import { createServer } from '../../src/upstream/server.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upsync-config-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const config: EngineConfig = {
  plans: [
    {
      name: 'test',
      source: {
        type: 'consul',
        addresses: ['http://127.0.0.1:8500'],
        path: '/v1/kv/upstreams/test/',
        intervalMs: 500,
        timeoutMs: 360_000,
        token: 'very-secret',
      },
      strongDependency: false,
      allowEmpty: false,
      dumpPath: '/tmp/servers_test.conf',
      balancer: { method: 'round_robin', seed: 0, loadFactor: 1.25 },
      initial: [createServer('127.0.0.1:1')],
      where: 'nginx.conf:3',
    },
  ],
  nginx: { mode: 'workers', controlSocket: '/run/x.sock', masterPid: 4242 },
  statusSocket: '/run/status.sock',
  logLevel: 'info',
};

test('what was written is read back, from a file only its owner may read', async () => {
  const file = join(folder, 'engine.json');
  await writeEngineConfig(file, config);
  await writeEngineConfig(file, config);
  expect(await readEngineConfig(file)).toEqual(config);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(config);
});

test('reload_interval defaults to one second and the level to info', () => {
  const parsed = parseEngineConfig(
    {
      plans: [],
      nginx: { mode: 'reload', includeDir: '/i', nginxBinary: 'nginx', configPath: '/c', masterPid: 7 },
    },
    'test',
  );
  expect(parsed.logLevel).toBe('info');
  expect(parsed.nginx).toMatchObject({ reloadIntervalMs: 1000 });
});

test.each([
  ['an unknown field', { ...config, surprise: 1 }, /surprise/],
  ['a wrong type', { ...config, plans: [{ ...config.plans[0], allowEmpty: 'yes' }] }, /plans\.0\.allowEmpty/],
  ['one name twice', { ...config, plans: [config.plans[0], config.plans[0]] }, /"test" twice/],
  ['nothing at all', null, /is wrong/],
])('refuses %s, naming the place', (_what, data, message) => {
  expect(() => parseEngineConfig(data, 'test')).toThrow(
    expect.objectContaining({ code: 'ENGINE_CONFIG', message: expect.stringMatching(message) }),
  );
});

test('never quotes the file in an error, since it holds tokens', async () => {
  const file = join(folder, 'engine.json');
  await writeFile(file, '{"token": "very-secret"');
  await expect(readEngineConfig(file)).rejects.toThrow(
    expect.objectContaining({ code: 'ENGINE_CONFIG', message: expect.not.stringContaining('very-secret') }),
  );
  await expect(readEngineConfig(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENGINE_CONFIG' });
});
