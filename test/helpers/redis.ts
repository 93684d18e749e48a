import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import { scratchFolder } from './scratch-folder.ts';
import { freePort } from './ports.ts';

/** A real redis-server of a test, ended with it. */
export interface RedisProcess {
  readonly host: string;
  readonly port: number;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

/** Starts a redis-server without persistence and resolves when it answers. */
export async function startRedis(
  host: string,
  port: number,
  ...more: readonly string[]
): Promise<RedisProcess> {
  const child = spawn(
    'redis-server',
    [
      '--bind',
      host,
      '--port',
      String(port),
      '--save',
      '',
      '--appendonly',
      'no',
      '--protected-mode',
      'no',
      ...more,
    ],
    { stdio: 'ignore' },
  );
  const redis = { host, port, kill: () => end(child) };
  onTestFinished(() => redis.kill());
  for (let turn = 0; turn < 250; turn++) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
    if (await answers(host, port)) return redis;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`redis-server on ${host}:${port} does not answer`);
}

/** Whether the redis-server of this machine speaks TLS. */
export async function hasRedisTls(): Promise<boolean> {
  const { stdout, stderr } = await promisify(execFile)('redis-cli', ['--help']);
  return (stdout + stderr).includes('--tls');
}

/** A cluster of masters on one port of several hosts, with all slots spread over them; resolves when it serves. */
export async function startRedisCluster(
  hosts: readonly string[],
  port: number,
  ...more: readonly string[]
): Promise<readonly RedisProcess[]> {
  const bus = await freePort(...hosts);
  const nodes = await Promise.all(
    hosts.map((host) =>
      startRedis(
        host,
        port,
        ...['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--dir', scratchFolder()],
        // Nodes would take 127.0.0.1 for the address of one another.
        ...['--cluster-node-timeout', '2000', '--cluster-announce-ip', host, ...more],
      ),
    ),
  );
  const size = Math.ceil(SLOTS / hosts.length);
  for (const [at, host] of hosts.entries()) {
    const own = await talk(host, port);
    await own('CLUSTER', 'ADDSLOTSRANGE', at * size, Math.min(SLOTS, (at + 1) * size) - 1);
    if (at > 0) await own('CLUSTER', 'MEET', hosts[0]!, port, bus);
  }
  for (const host of hosts) {
    const own = await talk(host, port);
    const isWhole = async (): Promise<boolean> => {
      const info = String(await own('CLUSTER', 'INFO'));
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${hosts.length}`);
    };
    await expect.poll(isWhole, { timeout: 20_000 }).toBe(true);
  }
  return nodes;
}

const SLOTS = 16_384;

async function talk(
  host: string,
  port: number,
): Promise<(command: string, ...words: (string | number)[]) => Promise<unknown>> {
  const { Redis } = await import('ioredis');
  const redis = new Redis(port, host);
  onTestFinished(() => redis.disconnect());
  return (command, ...words) => redis.call(command, ...words);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
