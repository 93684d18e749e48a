import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { EmbeddedRegistry } from '../../src/discovery/embedded/registry.ts';
import { runSidecar } from '../../src/sidecar/run.ts';
import { type Backend, startBackend } from '../helpers/backend.ts';
import { startEmbeddedRegistry } from '../helpers/embedded-registry.ts';
import { compiledWorker } from '../helpers/lua-nginx.ts';
import { recordingLogger } from '../helpers/recording-logger.ts';
import { freePort } from '../helpers/ports.ts';

const until = <T>(what: () => Promise<T> | T) => vi.waitFor(what, { timeout: 8000, interval: 20 });
let folder: string;
let port: number;
let registry: EmbeddedRegistry;
let one: Backend;
let two: Backend;
let logger: ReturnType<typeof recordingLogger>;
let stop: AbortController;
let running: Promise<void>;
let nginx: ChildProcess | undefined;
let configPath: string;

const answer = async (path = '/') =>
  (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })).text();
const put = (server: string, value = '') =>
  fetch(`${registry.url}/v1/kv/upstreams/app/${server}`, { method: 'PUT', body: value });
const remove = (server: string) =>
  fetch(`${registry.url}/v1/kv/upstreams/app/${server}`, { method: 'DELETE' });
const conf = (extra = '') => `
worker_processes 2; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log info;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  upstream app {
    upsync ${new URL(registry.url).host}/v1/kv/upstreams/app/ upsync_type=consul upsync_interval=50ms;
    upsync_dump_path ${folder}/app.conf;
    server ${one.address};
  }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://app; }
    location /show { upstream_show; }
    ${extra}
  }
}
`;

async function startLists(): Promise<string> {
  const privateFolder = join(folder, 'out', 'private');
  const name = (await readdir(privateFolder)).find((file) => /^boot\.\d+\.\d+$/.test(file));
  return readFile(join(privateFolder, name ?? 'none'), 'utf8');
}

async function startNginx(): Promise<void> {
  nginx = spawn('nginx', ['-c', configPath, '-p', folder], { stdio: 'ignore' });
  await until(async () => expect(await answer()).toMatch(/^127/));
}
async function stopNginx(): Promise<void> {
  if (!nginx || nginx.exitCode !== null || nginx.signalCode !== null) return;
  nginx.kill('SIGTERM');
  await once(nginx, 'exit');
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upsync-run-'));
  await chmod(folder, 0o755);
  [registry, one, two] = await Promise.all([startEmbeddedRegistry(), startBackend(), startBackend()]);
  port = await freePort();
  logger = recordingLogger();
  stop = new AbortController();
  await writeFile(join(folder, 'nginx.conf'), conf());
  await writeFile(
    join(folder, 'upsync.yaml'),
    `nginx:\n  conf: nginx.conf\n  prefix: .\n  output: out\n  pid: nginx.pid\nadmin: {listen: "127.0.0.1:0"}\n`,
  );
  configPath = await new Promise<string>((resolve, reject) => {
    running = runSidecar({
      configFile: join(folder, 'upsync.yaml'),
      env: { ...process.env, UPSYNC_DICT_SIZE: '3m' },
      createLogger: () => logger,
      signal: stop.signal,
      onReady: (ready) => resolve(ready.configPath!),
      luaFile: compiledWorker(),
      watch: { quietMs: 20, netMs: 60_000 },
    });
    running.catch(reject);
  });
  await startNginx();
});
afterEach(async () => {
  stop.abort();
  await running;
  await stopNginx();
  await Promise.all([registry.close(), one.close(), two.close()]);
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

test('lists reach an nginx that someone else started, without a reload', async () => {
  expect(await answer()).toBe(one.address);
  await put(two.address);
  await until(async () => expect(await answer()).toBe(two.address));
  expect(await answer('/show?app')).toContain(`server ${two.address} weight=1`);
  expect(await readFile(join(folder, 'error.log'), 'utf8')).not.toContain('reconfiguring');
  expect(await readFile(configPath, 'utf8')).toContain('lua_shared_dict upsync 3m;');
});

test('a changed nginx.conf is applied when nginx accepts it, and the lists stay', async () => {
  await put(two.address);
  await until(async () => expect(await answer()).toBe(two.address));
  await writeFile(join(folder, 'nginx.conf'), conf('location /new { return 200 "new"; }'));
  await until(async () => expect(await answer('/new')).toBe('new'));
  expect(await answer()).toBe(two.address);

  await writeFile(join(folder, 'nginx.conf'), conf('location /bad { nonsense; }'));
  await until(() => expect(logger.events()).toContain('configuration_refused'));
  expect(logger.lines.find((line) => line.event === 'configuration_refused')?.fields['error']).toMatch(
    /nonsense/,
  );
  expect(await answer('/new')).toBe('new');
  await put(one.address);
  await remove(two.address);
  await until(async () => expect(await answer()).toBe(one.address));
});

test('an nginx that was restarted gets its lists, from the dump first', async () => {
  await put(two.address);
  await until(async () => expect(await readFile(join(folder, 'app.conf'), 'utf8')).toContain(two.address));
  await until(async () => expect(await startLists()).toContain(two.address));
  await stopNginx();
  await startNginx();
  expect(await answer()).toBe(two.address);
  await until(async () => expect(await answer('/show?app')).toContain(two.address));
});
