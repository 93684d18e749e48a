import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { controlSocketIn } from './control-socket.ts';
import { listening, start } from './child.ts';
import { PROGRAM, startRegistry, type Registry } from './registry.ts';
import { freePorts } from '../../test/helpers/ports.ts';

/** `upsync nginx` with many upstreams. Their servers need not exist: nothing is sent to them. */
export interface Fleet {
  readonly pid: number;
  readonly registry: Registry;
  readonly controlSocket: string;
  /** From the start of the program until it accepted a connection. */
  readonly startMs: number;
  stop(): Promise<void>;
}

const WRITERS = 32;

/** Address number `at` of a fleet. */
export function fleetAddress(at: number): string {
  return `127.${1 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}:80`;
}

/** Fills the registry with `upstreams` × `servers` and starts nginx on them. */
export async function startFleet(upstreams: number, servers: number): Promise<Fleet> {
  const folder = await mkdtemp(path.join(tmpdir(), 'upsync-bench-fleet-'));
  const registry = await startRegistry();
  const jobs = Array.from({ length: upstreams * servers }, (_, at) => ({
    upstream: `u${Math.floor(at / servers)}`,
    server: fleetAddress(at),
  }));
  const writer = async (): Promise<void> => {
    for (let job = jobs.pop(); job !== undefined; job = jobs.pop())
      await registry.put(job.upstream, job.server);
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  const [port] = (await freePorts(1)) as [number];
  const configuration = path.join(folder, 'nginx.conf');
  await writeFile(configuration, nginxConf(folder, port, upstreams, registry.url.replace('http://', '')));
  process.env['UPSYNC_RUNTIME_DIR'] = path.join(folder, 'run');
  const begun = performance.now();
  const main = start(
    process.execPath,
    [PROGRAM, 'nginx', '-p', `${folder}/`, '-c', configuration],
    ['ignore', 'ignore', 'ignore'],
  );
  await listening(port, 60_000);
  return {
    pid: main.pid,
    registry,
    controlSocket: controlSocketIn(path.join(folder, 'run')),
    startMs: performance.now() - begun,
    stop: async () => {
      await main.stop();
      await registry.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function nginxConf(folder: string, port: number, upstreams: number, registry: string): string {
  const blocks = Array.from(
    { length: upstreams },
    (_, at) =>
      `  upstream u${at} { upsync ${registry}/v1/kv/upstreams/u${at}/ upsync_type=consul upsync_interval=50ms; upsync_dump_path ${folder}/dump-${at}.conf; server 127.0.0.1:9; }`,
  );
  return `worker_processes 2; daemon off; pid ${folder}/nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http { access_log off;
${blocks.join('\n')}
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://u0; } } }
`;
}
