import path from 'node:path';
import { Agent, request } from 'undici';
import { listening, start } from './child.ts';
import { freePorts } from '../../test/helpers/ports.ts';

/** The built program, run from the project's folder. */
export const PROGRAM = path.resolve('dist/sidecar/main.js');

/** The embedded registry in a process of its own, which speaks Consul's API to whoever is compared. */
export interface Registry {
  readonly url: string;
  /** Makes the upstream's servers exactly these: adds what is missing, deletes the rest. */
  replace(upstream: string, servers: readonly string[]): Promise<void>;
  put(upstream: string, server: string, value?: string): Promise<void>;
  remove(upstream: string, server: string): Promise<void>;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startRegistry(): Promise<Registry> {
  const [port] = (await freePorts(1)) as [number];
  const url = `http://127.0.0.1:${port}`;
  const child = start(
    process.execPath,
    [PROGRAM, 'registry', '--listen', `127.0.0.1:${port}`],
    ['ignore', 'ignore', 'inherit'],
  );
  await listening(port);
  const agent = new Agent({ connections: 8 });
  const known = new Map<string, Set<string>>();
  const call = async (
    method: 'PUT' | 'DELETE',
    upstream: string,
    server: string,
    body?: string,
  ): Promise<void> => {
    const reply = await request(`${url}/v1/kv/upstreams/${upstream}/${server}`, {
      method,
      body: body ?? null,
      dispatcher: agent,
    });
    await reply.body.dump();
    if (reply.statusCode !== 200)
      throw new Error(`${method} ${server}: the registry answered ${reply.statusCode}`);
  };
  const put = async (
    upstream: string,
    server: string,
    value = '{"weight":1,"max_fails":2,"fail_timeout":10}',
  ): Promise<void> => {
    await call('PUT', upstream, server, value);
    known.set(upstream, (known.get(upstream) ?? new Set()).add(server));
  };
  const remove = async (upstream: string, server: string): Promise<void> => {
    await call('DELETE', upstream, server);
    known.get(upstream)?.delete(server);
  };
  return {
    url,
    pid: child.pid,
    put,
    remove,
    replace: async (upstream, servers) => {
      const before = new Set(known.get(upstream));
      for (const server of servers) if (!before.delete(server)) await put(upstream, server);
      for (const server of before) await remove(upstream, server);
    },
    stop: async () => {
      await agent.destroy();
      await child.stop();
    },
  };
}
