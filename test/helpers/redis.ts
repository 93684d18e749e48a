import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { onTestFinished } from 'vitest';

/** A real redis-server of a test, ended with it. */
export interface RedisProcess {
  readonly host: string;
  readonly port: number;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

/** A port that is free on all the addresses. */
export async function freePortOn(...hosts: readonly string[]): Promise<number> {
  for (let turn = 0; turn < 20; turn++) {
    const servers = hosts.map(() => createServer());
    try {
      let port = 0;
      for (const [at, server] of servers.entries()) {
        server.listen(port, hosts[at]);
        await once(server, 'listening');
        port = (server.address() as { port: number }).port;
      }
      return port;
    } catch {
      // Taken on one of them: another one is tried.
    } finally {
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    }
  }
  throw new Error(`no port is free on ${hosts.join(', ')}`);
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
