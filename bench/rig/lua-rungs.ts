import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { NGINX } from './backends.ts';
import { listening, start } from './child.ts';
import { nginxWorkers } from './process-usage.ts';
import { freePorts } from '../../test/helpers/ports.ts';

/** What a rung of the ladder adds to a static upstream, written by hand and as small as it can be: none of it is Upsync's. */
export interface Rung {
  readonly logHook: boolean;
  readonly balancer: boolean;
}

/** An nginx on one rung. */
export interface RungFront {
  readonly port: number;
  workers(): number[];
  stop(): Promise<void>;
}

const MODULE_FOLDERS = ['/usr/lib/nginx/modules', '/usr/share/nginx/modules'];
const MODULES = ['ndk_http_module.so', 'ngx_http_lua_module.so'] as const;

/** Starts it; the same configuration as the fronts' but for the list and the hooks. */
export async function startRung(
  { logHook, balancer }: Rung,
  addresses: readonly string[],
): Promise<RungFront> {
  const folder = await mkdtemp(path.join(tmpdir(), 'upsync-bench-rung-'));
  await chmod(folder, 0o755);
  const [port] = (await freePorts(1)) as [number];
  const configuration = path.join(folder, 'nginx.conf');
  const modules = MODULE_FOLDERS.find((at) => existsSync(path.join(at, MODULES[1]))) ?? '';
  const lines = addresses.map((address) => `server ${address} weight=1 max_fails=2 fail_timeout=10s;`);
  const list = balancer ? `server 0.0.0.1; balancer_by_lua_block { ${turnLua(addresses)} }` : lines.join(' ');
  await writeFile(
    configuration,
    `${MODULES.map((name) => `load_module ${path.join(modules, name)};`).join(' ')}
worker_processes 2; daemon off; pid ${folder}/nginx.pid; error_log stderr emerg;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  init_by_lua_block { peers = require "ngx.balancer" turn = 0 }
  ${logHook ? 'log_by_lua_block { return }' : ''}
  upstream backend { ${list}
    keepalive 256; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${port} backlog=4096;
    location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; } } }
`,
  );
  const child = start(NGINX, ['-p', `${folder}/`, '-c', configuration]);
  await listening(port);
  return {
    port,
    workers: () => nginxWorkers(child.pid).map(({ pid }) => pid),
    stop: async () => {
      await child.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

// Names the servers one after the other: the least that any balancer in Lua has to do.
function turnLua(addresses: readonly string[]): string {
  const ports = addresses.map((address) => address.slice(address.lastIndexOf(':') + 1));
  const host = addresses[0]!.slice(0, addresses[0]!.lastIndexOf(':'));
  return `turn = turn % ${ports.length} + 1; peers.set_current_peer("${host}", ({ ${ports.join(', ')} })[turn])`;
}
