import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NGINX } from './backends.ts';
import { start, type Child } from './child.ts';
import { freePorts } from '../../test/helpers/ports.ts';

/** Servers that die alone: an nginx each, on loopback addresses of their own and one port. They answer with their address. */
export interface LoneServers {
  /** `address:port` of each. */
  readonly addresses: readonly string[];
  /** As a machine that loses power: no word to anyone. */
  kill(at: number): Promise<void>;
  /** As a deployment does it: told to finish what it has, then a new process. */
  restart(at: number): Promise<void>;
  stop(): Promise<void>;
}

const READY_MS = 5000;
const DOWN_MS = 100;

export async function startLoneServers(count: number): Promise<LoneServers> {
  const folder = await mkdtemp(path.join(tmpdir(), 'upsync-bench-lone-'));
  await chmod(folder, 0o755);
  const [port] = (await freePorts(1)) as [number];
  const hosts = Array.from({ length: count }, (_, at) => `127.0.9.${at + 1}`);
  const up = async (at: number): Promise<Child> => {
    const file = path.join(folder, `${at}.conf`);
    await writeFile(
      file,
      `worker_processes 1; daemon off; pid ${folder}/${at}.pid; error_log stderr emerg;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 100000000;
  server { listen ${hosts[at]}:${port}; location / { return 200 "$server_addr:$server_port"; } } }`,
    );
    const child = start(NGINX, ['-p', `${folder}/`, '-c', file]);
    await accepting(hosts[at]!, port);
    return child;
  };
  const children: Child[] = [];
  for (let at = 0; at < count; at += 1) children.push(await up(at));
  return {
    addresses: hosts.map((host) => `${host}:${port}`),
    kill: async (at) => {
      // Started as the leader of a group of its own: master and worker go together.
      process.kill(-children[at]!.pid, 'SIGKILL');
      await children[at]!.stop();
    },
    restart: async (at) => {
      await children[at]!.stop('SIGQUIT');
      await delay(DOWN_MS);
      children[at] = await up(at);
    },
    stop: async () => {
      await Promise.all(children.map((child) => child.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function accepting(host: string, port: number): Promise<void> {
  const end = performance.now() + READY_MS;
  while (performance.now() < end) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, host);
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await delay(5);
  }
  throw new Error(`nothing listens on ${host}:${port} after ${READY_MS / 1000} s`);
}
