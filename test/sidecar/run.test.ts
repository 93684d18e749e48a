import { mkdtemp, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runSidecar } from '../../src/sidecar/run.ts';
import { watchFolders } from '../../src/sidecar/watch-folders.ts';
import { createServer } from '../../src/upstream/server.ts';
import { SILENT } from '../../src/upstream/logger.ts';
import { FakeSource } from '../helpers/fake-source.ts';
import { recordingLogger } from '../helpers/recording-logger.ts';

const until = <T>(what: () => T) => vi.waitFor(what, { timeout: 5000, interval: 10 });
let folder: string;
let logger: ReturnType<typeof recordingLogger>;
let sources: Map<string, FakeSource>;
let stop: AbortController;
let running: Promise<void> | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upsync-run-'));
  logger = recordingLogger();
  sources = new Map();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await running?.catch(() => undefined);
  running = undefined;
  await rm(folder, { recursive: true, force: true });
});

const file = () => join(folder, 'upsync.yaml');
const upstream = (name: string) =>
  `  - name: ${name}\n    upsync: 127.0.0.1:1/v1/kv/${name}/\n    upsync_type: consul\n    upsync_dump_path: ${name}.conf\n`;
/** Puts another text in the file's place, without a moment in which it is empty. */
const replace = async (text: string): Promise<void> => {
  await writeFile(join(folder, 'new'), text);
  await rename(join(folder, 'new'), file());
};
const source = (name: string): FakeSource => {
  const known = sources.get(name) ?? new FakeSource(name);
  sources.set(name, known);
  return known;
};
async function run(text: string): Promise<{ adminUrl?: string }> {
  await writeFile(file(), text);
  return new Promise((resolve, reject) => {
    running = runSidecar({
      configFile: file(),
      env: process.env,
      createLogger: () => logger,
      signal: stop.signal,
      onReady: resolve,
      engine: { sync: { openSources: (all) => all.map(({ path }) => source(path.split('/')[3]!)) } },
      watch: { quietMs: 10, netMs: 60_000 },
    });
    running.catch(reject);
  });
}

test('keeps dump files in step, without any nginx', async () => {
  await run(`upstreams:\n${upstream('a')}`);
  source('a').set([createServer('10.0.0.1:80')]);
  await until(async () => expect(await readFile(join(folder, 'a.conf'), 'utf8')).toContain('10.0.0.1:80'));
});

test('follows its own file: what is valid is applied, what is not is told once and the old goes on', async () => {
  await run(`upstreams:\n${upstream('a')}`);
  source('a').set([createServer('10.0.0.1:80')]);
  await replace(`upstreams:\n${upstream('a')}${upstream('b')}`);
  source('b').set([createServer('10.0.0.2:80')]);
  await until(async () => expect(await readFile(join(folder, 'b.conf'), 'utf8')).toContain('10.0.0.2:80'));
  expect(source('a').opened).toBe(1);

  await replace('upstreams: nonsense\n');
  await until(() => expect(logger.events()).toContain('configuration_refused'));
  await writeFile(join(folder, 'unrelated'), '');
  source('a').set([createServer('10.0.0.3:80')]);
  await until(async () => expect(await readFile(join(folder, 'a.conf'), 'utf8')).toContain('10.0.0.3:80'));
  expect(logger.events().filter((event) => event === 'configuration_refused')).toHaveLength(1);

  await replace(`upstreams:\n${upstream('b')}`);
  await until(() => expect(source('a').open).toBe(0));
  expect(source('b').opened).toBe(1);
});

test('an emptied file takes no upstream away', async () => {
  await run(`upstreams:\n${upstream('a')}`);
  source('a').set([createServer('10.0.0.1:80')]);
  await writeFile(file(), '');
  await until(() => expect(logger.events()).toContain('configuration_refused'));
  source('a').set([createServer('10.0.0.3:80')]);
  await until(async () => expect(await readFile(join(folder, 'a.conf'), 'utf8')).toContain('10.0.0.3:80'));
  expect([source('a').opened, source('a').open]).toEqual([1, 1]);
});

test('an admin address in use refuses the change and keeps what ran', async () => {
  const { adminUrl } = await run(`admin: {listen: "127.0.0.1:0"}\nupstreams:\n${upstream('a')}`);
  const port = new URL(adminUrl!).port;
  const other = await mkdtemp(join(tmpdir(), 'upsync-run-'));
  const second = join(other, 'upsync.yaml');
  await writeFile(second, `admin: {listen: "127.0.0.1:${port}"}\nupstreams:\n${upstream('a')}`);
  const refused = runSidecar({
    configFile: second,
    env: process.env,
    createLogger: () => SILENT,
    signal: stop.signal,
    engine: { sync: { openSources: (all) => all.map(() => new FakeSource()) } },
  });
  await expect(refused).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect((await fetch(new URL('/healthz', adminUrl))).status).toBe(200);
  await rm(other, { recursive: true });
});

test.each([
  [
    'upstreams beside an nginx.conf',
    `nginx: {conf: nginx.conf, output: out}\nupstreams:\n${upstream('a')}`,
    /cannot both be given/,
  ],
  ['an nginx without a way to it', 'nginx: {pid: nginx.pid}\n', /"conf" and "output", or "control_socket"/],
  ['an nginx.conf without an output', 'nginx: {conf: nginx.conf}\n', /"nginx.output" is missing/],
])('refuses %s', async (_title, text, message) => {
  await expect(run(text)).rejects.toThrow(message);
});

test('looks again when a link is switched, as Kubernetes does, and after the second time as well', async () => {
  const look = vi.fn(async () => undefined);
  for (const name of ['v1', 'v2', 'v3']) await mkdir(join(folder, name));
  const point = async (name: string) => {
    await symlink(name, join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  await point('v1');
  const watching = watchFolders([folder], look, { logger, quietMs: 10, netMs: 60_000 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (const name of ['v2', 'v3']) {
    look.mockClear();
    await point(name);
    await until(() => expect(look).toHaveBeenCalled());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await watching.close();
});
