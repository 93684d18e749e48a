import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { once } from 'node:events';
import path from 'node:path';
import { listening, start, type Child } from './child.ts';
import { freePorts } from '../../test/helpers/ports.ts';

/** Backends that are never the bottleneck: one stock nginx that listens on many ports. */
export interface Backends {
  readonly ports: readonly number[];
  readonly addresses: readonly string[];
  stop(): Promise<void>;
}

export const NGINX = process.env['UPSYNC_NGINX'] ?? '/usr/sbin/nginx';
const SLOW_BYTES = 64 * 1024;

/** Starts `count` backends. `/` answers with the port, `/slow` sends 64 KiB at 4 KiB a second, `/ws` is a websocket that echoes. */
export async function startBackends(
  count: number,
  host: '127.0.0.1' | '0.0.0.0' = '127.0.0.1',
): Promise<Backends> {
  const folder = await mkdtemp(path.join(tmpdir(), 'upsync-bench-backends-'));
  const ports = await freePorts(count);
  // nginx's worker is another user where the bench runs as root.
  await chmod(folder, 0o755);
  await writeFile(path.join(folder, 'slow'), 'x'.repeat(SLOW_BYTES));
  const listen = ports.map((port) => `listen ${host}:${port} backlog=4096;`).join(' ');
  const echo = await startEcho(path.join(folder, 'echo.sock'));
  await writeFile(
    path.join(folder, 'nginx.conf'),
    `worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log stderr crit;
events { worker_connections 8192; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  server { ${listen} root ${folder};
    location = / { return 200 "$server_port"; }
    location = /slow { limit_rate 4k; }
    location = /ws { proxy_pass http://unix:${folder}/echo.sock; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; } } }`,
  );
  const child: Child = start(NGINX, ['-p', `${folder}/`, '-c', path.join(folder, 'nginx.conf')]);
  await listening(ports[ports.length - 1]!);
  return {
    ports,
    addresses: ports.map((port) => `127.0.0.1:${port}`),
    stop: async () => {
      await child.stop('SIGTERM');
      await echo.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startEcho(socket: string): Promise<Child> {
  const main = path.join(import.meta.dirname, 'echo-main.js');
  const child = start(process.execPath, [main, socket], ['ignore', 'pipe', 'inherit']);
  await once(child.process.stdout!, 'data');
  // nginx's worker is another user where the bench runs as root.
  await chmod(socket, 0o666);
  return child;
}
