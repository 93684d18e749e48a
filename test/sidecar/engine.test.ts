import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { EngineStatus } from '../../src/sidecar/engine-status.ts';
import { Engine } from '../../src/sidecar/engine.ts';
import type { EngineConfig } from '../../src/sidecar/engine-config.ts';
import { createServer } from '../../src/upstream/server.ts';
import { FakeSource } from '../helpers/fake-source.ts';
import { FakeNginx } from '../helpers/fake-target.ts';
import { testPlan } from '../helpers/plan.ts';
import { recordingLogger } from '../helpers/recording-logger.ts';

const until = <T>(what: () => T) => vi.waitFor(what, { timeout: 3000, interval: 5 });
let folder: string;
let source: FakeSource;
let nginx: FakeNginx;
let engine: Engine | undefined;
let logger: ReturnType<typeof recordingLogger>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upsync-engine-'));
  source = new FakeSource();
  nginx = new FakeNginx();
  logger = recordingLogger();
});
afterEach(async () => {
  await engine?.close();
  engine = undefined;
  await rm(folder, { recursive: true, force: true });
});

const config = (changes: Partial<EngineConfig> = {}): EngineConfig => ({
  plans: [testPlan(folder, 'a')],
  nginx: { mode: 'workers', controlSocket: join(folder, 'control.sock'), masterPid: process.pid },
  statusSocket: join(folder, 'status.sock'),
  logLevel: 'info',
  ...changes,
});
async function run(given: EngineConfig): Promise<Engine> {
  engine = new Engine(given, {
    logger,
    masterCheckMs: 10,
    openTarget: async () => nginx,
    sync: { openSources: (all) => all.map(() => source), random: () => 0 },
  });
  await engine.start();
  return engine;
}
function ask(path: string): Promise<{ code: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    request({ socketPath: join(folder, 'status.sock'), path }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.on('end', () => resolve({ code: response.statusCode, body }));
    })
      .on('error', reject)
      .end();
  });
}

test('brings lists to nginx and tells its status on a socket only the owner may use', async () => {
  await run(config());
  source.set([createServer('10.0.0.2:80')]);
  await until(() => expect(nginx.lists.get('a')?.version).toBe(2));
  const { code, body } = await ask('/status');
  const status = JSON.parse(body) as EngineStatus;
  expect(code).toBe(200);
  expect(status).toMatchObject({
    pid: process.pid,
    nginx: { mode: 'workers', masterPid: process.pid },
    upstreams: [
      { name: 'a', version: 2, ready: true, targets: [{ delivered: 2 }, { target: 'dump files' }] },
    ],
  });
  expect((await ask('/other')).code).toBe(404);
  expect((await stat(join(folder, 'status.sock'))).mode & 0o777).toBe(0o600);
});

test('takes the place of a status socket that an engine left behind', async () => {
  await run(config());
  await engine?.close();
  await run(config());
  expect((await ask('/status')).code).toBe(200);
});

test('ends when the nginx master is gone, and not before', async () => {
  const master = spawn('sleep', ['60']);
  await once(master, 'spawn');
  const running = await run(
    config({ nginx: { mode: 'workers', controlSocket: join(folder, 'c.sock'), masterPid: master.pid! } }),
  );
  let why: string | undefined;
  void running.ended.then((end) => (why = end));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(why).toBeUndefined();
  master.kill('SIGKILL');
  await once(master, 'exit');
  await until(() => expect(why).toBe('nginx_gone'));
});

test('a new configuration changes what it must: a new master and other upstreams are taken in', async () => {
  const running = await run(config());
  source.set([createServer('10.0.0.2:80')]);
  await until(() => expect(nginx.lists.has('a')).toBe(true));
  const next = config({
    plans: [testPlan(folder, 'a'), testPlan(folder, 'b')],
    nginx: { mode: 'workers', controlSocket: join(folder, 'control.sock'), masterPid: process.ppid },
  });
  expect(await running.reload(next)).toBe(true);
  expect(source.opened).toBe(2);
  expect(running.status().nginx?.masterPid).toBe(process.ppid);
  await until(() => expect(nginx.lists.has('b')).toBe(true));
});

test('a new way to nginx needs a new engine', async () => {
  const running = await run(config());
  const other = config({ nginx: { mode: 'workers', controlSocket: join(folder, 'elsewhere.sock') } });
  expect(await running.reload(other)).toBe(false);
  expect(running.status().nginx?.masterPid).toBe(process.pid);
});

test('runs without an nginx, for dump files alone', async () => {
  const { nginx: _none, ...rest } = config();
  const running = await run(rest);
  source.set([createServer('10.0.0.2:80')]);
  await until(() =>
    expect(running.status().upstreams[0]?.targets).toMatchObject([{ target: 'dump files', delivered: 2 }]),
  );
  expect(running.status().nginx).toBeUndefined();
});

test('close is quick with a long poll open', async () => {
  const running = await run(config());
  const begin = performance.now();
  await running.close();
  expect(performance.now() - begin).toBeLessThan(1000);
  expect(source.open).toBe(0);
  expect(await running.ended).toBe('closed');
});
