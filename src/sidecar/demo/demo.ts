import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createEmbeddedRegistry, type EmbeddedRegistry } from '../../discovery/embedded/registry.ts';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import { findNginx } from '../nginx-binary.ts';
import { startBackends } from './backends.ts';
import { freePort } from './free-port.ts';
import { guide, type Places } from './guide.ts';

const START_BOUND_MS = 15_000;
const STOP_BOUND_MS = 5_000;
const LOOK_EVERY_MS = 300;
const PREFERRED = { registry: 8500, proxy: 8080, backends: [9001, 9002, 9003, 9004] } as const;
const EXAMPLE = fileURLToPath(new URL('../../../examples/nginx.conf', import.meta.url));
const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/**
 * Runs the main job on this machine for someone to play with: the embedded registry, small backends, and the real nginx
 * following the registry through `upsync nginx`. Ports in use are replaced by others, and that is said.
 * Resolves with the exit code after `signal` aborts; nothing it started is left then.
 */
export async function runDemo(signal: AbortSignal, print: (text: string) => void): Promise<number> {
  const places = await choosePlaces(print);
  const cleanup: (() => Promise<unknown>)[] = [() => rm(places.directory, { recursive: true, force: true })];
  try {
    const registry = await createEmbeddedRegistry({ listen: `127.0.0.1:${places.registry}` });
    cleanup.unshift(() => registry.close());
    const backends = await startBackends(places.backends);
    cleanup.unshift(() => closeAll(backends));
    await fillRegistry(registry, places.backends.slice(0, 3));
    if ((await findNginx()) === undefined) return await withoutNginx(places, signal, print);
    await writeConfiguration(places);
    const nginx = startNginx(places);
    cleanup.unshift(() => stop(nginx));
    await listening(nginx, places.proxy, signal);
    print(guide(places));
    const ended = await Promise.race([followList(places.proxy, signal, print), exitOf(nginx)]);
    if (ended === undefined || signal.aborted) return 0;
    print(`upsync nginx ended by itself with exit code ${ended}; its own words are above.`);
    return 1;
  } finally {
    for (const step of cleanup)
      await step().catch((error: unknown) => print(`cleaning up: ${errorText(error)}`));
  }
}

async function choosePlaces(print: (text: string) => void): Promise<Places> {
  const taken = new Set<number>();
  const choose = async (what: string, preferred: number): Promise<number> => {
    const port = await freePort(preferred, taken);
    if (port !== preferred) print(`port ${preferred} is in use, so the ${what} uses ${port}.`);
    return port;
  };
  const registry = await choose('registry', PREFERRED.registry);
  const proxy = await choose('nginx', PREFERRED.proxy);
  const backends: number[] = [];
  for (const port of PREFERRED.backends) backends.push(await choose('backend', port));
  return {
    registry,
    proxy,
    backends: backends as [number, number, number, number],
    // Whole, since another terminal opens in another folder.
    program: `node ${shellWord(MAIN)}`,
    directory: await mkdtemp(path.join(tmpdir(), 'upsync-demo-')),
  };
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

async function fillRegistry(registry: EmbeddedRegistry, ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const url = `${registry.url}/v1/kv/upstreams/backend/127.0.0.1:${port}`;
    await fetch(url, { method: 'PUT', body: '{"weight":1,"max_fails":2,"fail_timeout":10}' });
  }
}

async function writeConfiguration({ directory, registry, proxy, backends }: Places): Promise<void> {
  const example = await readFile(EXAMPLE, 'utf8');
  const ours = example
    .replaceAll('127.0.0.1:8500', `127.0.0.1:${registry}`)
    .replace('listen 127.0.0.1:8080', `listen 127.0.0.1:${proxy}`)
    .replace('server 127.0.0.1:9001', `server 127.0.0.1:${backends[0]}`);
  await writeFile(path.join(directory, 'nginx.conf'), ours);
}

// In a process group of its own: Ctrl-C in the terminal reaches only the tour, which then ends nginx in order.
function startNginx({ directory }: Places): ChildProcess {
  const args = [MAIN, 'nginx', '-c', path.join(directory, 'nginx.conf'), '-p', `${directory}/`];
  return spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
}

function exitOf(child: ChildProcess): Promise<number> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_BOUND_MS);
  await exitOf(child);
  clearTimeout(timer);
}

function closeAll(servers: readonly Server[]): Promise<unknown> {
  return Promise.all(
    servers.map(
      (server) =>
        new Promise((resolve) => {
          server.close(resolve);
          server.closeAllConnections();
        }),
    ),
  );
}

async function showList(proxy: number): Promise<string | undefined> {
  try {
    const reply = await fetch(`http://127.0.0.1:${proxy}/upstream_list?backend`, {
      signal: AbortSignal.timeout(2000),
    });
    return reply.ok ? await reply.text() : undefined;
  } catch {
    return undefined; // Not listening yet, or going away: the caller asks again or ends.
  }
}

async function listening(nginx: ChildProcess, proxy: number, signal: AbortSignal): Promise<void> {
  const end = Date.now() + START_BOUND_MS;
  while (!signal.aborted) {
    if (nginx.exitCode !== null || Date.now() > end) {
      const why =
        nginx.exitCode === null
          ? `is not listening after ${START_BOUND_MS / 1000} s`
          : `ended with exit code ${nginx.exitCode}`;
      throw new UpsyncError(
        'DEMO_NGINX',
        `upsync nginx on 127.0.0.1:${proxy} ${why}; its own words are above`,
      );
    }
    if ((await showList(proxy)) !== undefined) return;
    await delay(50);
  }
}

async function followList(
  proxy: number,
  signal: AbortSignal,
  print: (text: string) => void,
): Promise<undefined> {
  let last: string | undefined;
  while (!signal.aborted) {
    const text = await showList(proxy);
    if (text !== undefined && text !== last) {
      print(`${new Date().toISOString().slice(11, 23)}  ${text.trimEnd()}`);
      last = text;
    }
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function withoutNginx(
  { registry, backends }: Places,
  signal: AbortSignal,
  print: (text: string) => void,
): Promise<number> {
  print(`
  There is no nginx on this machine, so the tour shows the registry alone. With nginx it shows the whole job:
    sudo apt-get update && sudo apt-get install -y nginx libnginx-mod-http-lua

  registry   curl 'http://127.0.0.1:${registry}/v1/kv/upstreams/backend/?recurse'
  backends   127.0.0.1 ${backends.join(', ')}

  Ctrl-C ends it.
`);
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return 0;
}
