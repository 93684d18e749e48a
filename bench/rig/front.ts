import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { NGINX } from './backends.ts';
import { listening, start, type Child } from './child.ts';
import { nginxMaster, nginxWorkers, processTree } from './process-usage.ts';
import { controlSocketIn } from './control-socket.ts';
import { PROGRAM, startRegistry, type Registry } from './registry.ts';
import { freePorts } from '../../test/helpers/ports.ts';

/** The ways nginx is kept in step that are compared; `reload-cutting` is `reload` with `worker_shutdown_timeout 1s`. */
export type Variant = 'static' | 'upsync' | 'reload' | 'reload-cutting' | 'template' | 'upsync-module';

/** An nginx in front of backends, and whatever keeps its list in step. */
export interface Front {
  readonly variant: Variant;
  readonly port: number;
  /** Puts another list to work, by the variant's own means; resolves when the change was handed over, not when it is in force. */
  change(servers: readonly string[]): Promise<void>;
  /** The nginx master. */
  masterPid(): number;
  workers(): { pid: number; shuttingDown: boolean }[];
  /** All processes: nginx, and what follows the registry; the registry itself is not among them. */
  pids(): number[];
  /** The registry the list is kept in, where the variant has one. */
  readonly registry: Registry | undefined;
  /** Unix socket of the workers' control server (`upsync` only). */
  controlSocket(): string;
  readonly stop: () => Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface FrontOptions {
  readonly variant: Variant;
  readonly servers: readonly string[];
  readonly workers?: number;
  /** Path of an nginx with nginx-upsync-module compiled in, for `upsync-module`. */
  readonly upsyncNginx?: string;
}

const LOG_CHARACTERS = 2000;

/** Starts nginx in one of the variants, with the same configuration but for the list. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const { variant, servers, workers = 2 } = options;
  const folder = await mkdtemp(path.join(tmpdir(), `upsync-bench-${variant}-`));
  const [port] = (await freePorts(1)) as [number];
  const followsRegistry = variant === 'upsync' || variant === 'template' || variant === 'upsync-module';
  const registry = followsRegistry ? await startRegistry() : undefined;
  await registry?.replace('backend', servers);
  await writeList(folder, servers);
  const configuration = path.join(folder, 'nginx.conf');
  await writeFile(
    configuration,
    nginxConf({ variant, folder, port, workers, list: listOf(variant, folder, servers, registry) }),
  );
  process.env['UPSYNC_RUNTIME_DIR'] = path.join(folder, 'run');
  const main = startMain(variant, folder, configuration, options.upsyncNginx);
  const helper = variant === 'template' ? startTemplate(folder, configuration, registry!) : undefined;
  await listening(port);
  let master: number | undefined;
  const masterPid = (): number => (master ??= nginxMaster(processTree(main.pid))) ?? main.pid;
  const stop = async (): Promise<void> => {
    await helper?.stop();
    await main.stop('SIGTERM');
    await registry?.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return {
    variant,
    port,
    masterPid,
    registry,
    controlSocket: () => controlSocketIn(path.join(folder, 'run')),
    workers: () => nginxWorkers(masterPid()),
    pids: () => [...processTree(main.pid), ...(helper === undefined ? [] : processTree(helper.pid))],
    change: async (next) => {
      if (registry !== undefined) return registry.replace('backend', next);
      if (variant === 'static') return;
      await writeList(folder, next);
      process.kill(main.pid, 'SIGHUP');
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function startMain(
  variant: Variant,
  folder: string,
  configuration: string,
  upsyncNginx: string | undefined,
): Child {
  const args = ['-p', `${folder}/`, '-c', configuration];
  if (variant === 'upsync') return startUpsync(folder, args);
  return start(variant === 'upsync-module' ? (upsyncNginx ?? NGINX) : NGINX, args);
}

/** Its log is long, and read only when it ends before it is told to. */
function startUpsync(folder: string, args: readonly string[]): Child {
  const log = path.join(folder, 'upsync.log');
  const file = openSync(log, 'w');
  const child = start(process.execPath, [PROGRAM, 'nginx', ...args], ['ignore', 'ignore', file]);
  closeSync(file);
  child.process.once('exit', (code, signal) => {
    if (child.process.killed) return;
    const tail = readFileSync(log, 'utf8').slice(-LOG_CHARACTERS);
    process.stderr.write(`upsync nginx ended by itself with ${code ?? signal}:\n${tail}\n`);
  });
  return child;
}

function startTemplate(folder: string, configuration: string, registry: Registry): Child {
  const template = path.join(import.meta.dirname, 'template-main.js');
  return start(process.execPath, [
    template,
    registry.url,
    path.join(folder, 'servers.conf'),
    configuration,
    `${folder}/nginx.pid`,
  ]);
}

function listOf(
  variant: Variant,
  folder: string,
  servers: readonly string[],
  registry: Registry | undefined,
): string {
  if (variant === 'static') return servers.map(serverLine).join(' ');
  if (variant.startsWith('reload') || variant === 'template') return `include ${folder}/servers.conf;`;
  const address = registry!.url.replace('http://', '');
  return `upsync ${address}/v1/kv/upstreams/backend/ upsync_type=consul upsync_interval=50ms upsync_timeout=6m;
    upsync_dump_path ${folder}/dump.conf; ${servers.map(serverLine).join(' ')}`;
}

function nginxConf({
  variant,
  folder,
  port,
  workers,
  list,
}: {
  variant: Variant;
  folder: string;
  port: number;
  workers: number;
  list: string;
}): string {
  const cutting = variant === 'reload-cutting' ? 'worker_shutdown_timeout 1s;' : '';
  return `worker_processes ${workers}; daemon off; ${cutting} pid ${folder}/nginx.pid; error_log stderr emerg;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  upstream backend { ${list}
    keepalive 256; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${port} backlog=4096;
    location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering on; }
    location = /ws { proxy_pass http://backend; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; } }
}
`;
}

function serverLine(address: string): string {
  return `server ${address} weight=1 max_fails=2 fail_timeout=10s;`;
}

async function writeList(folder: string, servers: readonly string[]): Promise<void> {
  await writeFile(`${folder}/servers.tmp`, `${servers.map(serverLine).join('\n')}\n`);
  await rename(`${folder}/servers.tmp`, `${folder}/servers.conf`);
}
