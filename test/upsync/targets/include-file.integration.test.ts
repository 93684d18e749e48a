import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chmod, mkdtemp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createServer, type Server } from '../../../src/upstream/server.ts';
import type { Snapshot } from '../../../src/upstream/snapshot.ts';
import { IncludeFileTarget } from '../../../src/upsync/targets/include-file.ts';
import { ShowFiles } from '../../../src/upsync/targets/show-files.ts';
import { recordingLogger } from '../../helpers/recording-logger.ts';
import { freePort } from '../../helpers/ports.ts';

let folder: string;
let port: number;
let nginx: ChildProcess;
let target: IncludeFileTarget;
let logger: ReturnType<typeof recordingLogger>;
const backends: HttpServer[] = [];

const until = <T>(what: () => Promise<T> | T) => vi.waitFor(what, { timeout: 5000, interval: 20 });
const list = (upstream: string, version: number, ...servers: Server[]): Snapshot => ({
  upstream,
  version,
  servers,
  origin: { kind: 'registry', source: 'test', at: 0 },
});
const answer = async () =>
  (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text();
const include = (name: string) => readFile(join(folder, 'include', `${name}.conf`), 'utf8');

async function backend(word: string): Promise<string> {
  const server = createHttpServer((_request, response) => response.end(word)).listen(0, '127.0.0.1');
  backends.push(server);
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function startNginx(): ChildProcess {
  return spawn('nginx', ['-c', join(folder, 'nginx.conf'), '-p', folder, '-g', 'daemon off;'], {
    stdio: 'ignore',
  });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upsync-include-'));
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'include'));
  port = await freePort();
  const one = await backend('one');
  for (const name of ['a', 'b']) await writeFile(join(folder, 'include', `${name}.conf`), `server ${one};\n`);
  await writeFile(
    join(folder, 'nginx.conf'),
    `worker_processes 2; pid ${folder}/nginx.pid; error_log ${folder}/error.log info;
     events { worker_connections 64; }
     http { access_log off;
       upstream a { include ${folder}/include/a.conf; }
       upstream b { include ${folder}/include/b.conf; }
       server { listen 127.0.0.1:${port}; location / { proxy_pass http://a; } } }`,
  );
  nginx = startNginx();
  await until(async () => expect(await answer()).toBe('one'));
  logger = recordingLogger();
  target = new IncludeFileTarget({
    includeDir: join(folder, 'include'),
    nginxBinary: 'nginx',
    configPath: join(folder, 'nginx.conf'),
    prefix: folder,
    globalDirectives: 'daemon off;',
    pidPath: join(folder, 'nginx.pid'),
    methodOf: () => 'round_robin',
    show: new ShowFiles(join(folder, 'show'), [
      { name: 'plain', lines: ['server 10.0.0.1:80 weight=1 max_fails=1 fail_timeout=10s;'] },
      { name: 'a', lines: [] },
    ]),
    logger,
  });
});
afterEach(async () => {
  if (nginx.exitCode === null && nginx.signalCode === null) {
    nginx.kill('SIGTERM');
    await once(nginx, 'exit');
  }
  for (const server of backends.splice(0)) server.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

test('a list is in force when apply resolves, in new workers, and is shown', async () => {
  const two = await backend('two');
  const report = await target.apply(list('a', 2, createServer(two)));
  expect(report.workers).toHaveLength(2);
  expect(report.workers.every((worker) => worker.version === 2 && worker.pid > 1)).toBe(true);
  expect(await answer()).toBe('two');
  const text = await readFile(join(folder, 'show', 'all.txt'), 'utf8');
  expect(text).toContain('Upstream name: plain; Backend server count: 1');
  expect(text).toContain(two);
});

test('a list that is there already reloads nothing', async () => {
  const text = await include('a');
  const address = /server ([^;]+);/.exec(text)![1]!;
  await writeFile(
    join(folder, 'include', 'a.conf'),
    `server ${address} weight=1 max_fails=2 fail_timeout=10s;\n`,
  );
  await target.apply(list('a', 2, createServer(address)));
  expect(await readFile(join(folder, 'error.log'), 'utf8')).not.toContain('reconfiguring');
});

test('what nginx refuses is taken back, with its words, and the others go on in the same reload', async () => {
  const two = await backend('two');
  const before = await include('b');
  const [a, b] = await target.applyMany([
    list('a', 2, createServer(two)),
    // No address nginx takes: a list like this comes through no source, but the file must survive it.
    list('b', 2, createServer('999.1.1.1:80 rubbish')),
  ]);
  expect(a).toMatchObject({ ok: true });
  expect(b).toMatchObject({ ok: false, error: { code: 'TARGET_NGINX_TEST' } });
  expect(b?.ok === false && b.error.message).toMatch(/b\.conf:1/);
  expect(await include('b')).toBe(before);
  expect(await answer()).toBe('two');
});

test('a configuration that is broken elsewhere keeps every file as it was', async () => {
  const before = await include('a');
  const conf = join(folder, 'nginx.conf');
  await writeFile(conf, `${await readFile(conf, 'utf8')}\nnonsense;\n`);
  await expect(target.apply(list('a', 2, createServer('127.0.0.1:2')))).rejects.toMatchObject({
    code: 'TARGET_NGINX_TEST',
  });
  expect(await include('a')).toBe(before);
  expect(await readdir(join(folder, 'include'))).toEqual(['a.conf', 'b.conf']);
  expect(await answer()).toBe('one');
});

test('without an nginx the files wait for it, and its start is noticed', async () => {
  nginx.kill('SIGTERM');
  await once(nginx, 'exit');
  const two = await backend('two');
  expect(await target.apply(list('a', 2, createServer(two)))).toMatchObject({ workers: [] });
  expect(await target.reports()).toMatchObject([{ upstream: 'a', version: 2 }]);
  nginx = startNginx();
  await until(async () => expect(await answer()).toBe('two'));
  await until(async () => expect(await target.reports()).toEqual([]));
  expect((await target.apply(list('a', 2, createServer(two)))).workers).toHaveLength(2);
});
