import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildConsul, findConsul } from './build-consul.mjs';
import { freePorts } from './ports.ts';

const READY_WITHIN_MS = 60_000;
const STOPPED_WITHIN_MS = 10_000;
const START_ATTEMPTS = 3;
const LOG_TAIL_CHARACTERS = 4000;

/** True when tests must not run without a real Consul (CI, `UPSYNC_REQUIRE_CONSUL=1`). */
export const consulRequired = process.env.UPSYNC_REQUIRE_CONSUL === '1';

/**
 * The path of a real Consul, or undefined when there is none on this machine. Where one is required it is built, which
 * takes minutes the first time; `node test/helpers/build-consul.mjs` does that ahead.
 */
export async function locateConsul(): Promise<string | undefined> {
  const found = findConsul();
  if (found !== undefined || !consulRequired) return found;
  return buildConsul();
}

/** What to print where tests go without a real Consul. */
export const NO_CONSUL =
  'no real Consul on this machine: put `consul` on PATH, set CONSUL_BIN, or build one with `node test/helpers/build-consul.mjs`';

export interface ConsulOptions {
  /** @default 'dc1' */
  readonly datacenter?: string;
  /** Serf WAN ports of servers of other datacenters on this machine, to federate with. */
  readonly joinWan?: readonly number[];
  /** In memory, quick to elect itself. False keeps its data in `dataDir`. @default true */
  readonly dev?: boolean;
  /** Kept by the caller; default: a temporary folder removed by `stop()`. */
  readonly dataDir?: string;
  /** More configuration in HCL, for instance `http_config { response_headers { … } }`. */
  readonly hcl?: string;
  /** Asks for this HTTP port instead of a free one, to come back where it was before. */
  readonly port?: number;
}

export interface RunningConsul {
  readonly url: string;
  readonly port: number;
  readonly datacenter: string;
  readonly node: string;
  readonly serfWanPort: number;
  readonly pid: number;
  /** Ends the process (SIGKILL when asked to or when it does not leave) and removes its temporary folder. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a real Consul server on loopback and resolves when it leads and takes writes. */
export async function startConsul(options: ConsulOptions = {}): Promise<RunningConsul> {
  const binary = await locateConsul();
  if (binary === undefined) throw new Error(NO_CONSUL);
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(binary, options);
    } catch (error) {
      // A port found free may be taken before Consul binds it.
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

async function start(binary: string, options: ConsulOptions): Promise<RunningConsul> {
  const ports = await freePorts(4);
  const http = options.port ?? ports[0]!;
  const [, server, serfLan, serfWan] = ports as [number, number, number, number];
  const datacenter = options.datacenter ?? 'dc1';
  const node = `${datacenter}-node`;
  const folder = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'upsync-consul-')));
  const child = spawn(
    binary,
    [
      'agent',
      ...(options.dev === false
        ? [
            '-server',
            '-bootstrap-expect=1',
            `-data-dir=${folder}`,
            '-hcl=performance { raft_multiplier = 1 }',
          ]
        : ['-dev']),
      `-datacenter=${datacenter}`,
      `-node=${node}`,
      '-bind=127.0.0.1',
      '-client=127.0.0.1',
      '-advertise=127.0.0.1',
      `-http-port=${http}`,
      `-server-port=${server}`,
      `-serf-lan-port=${serfLan}`,
      `-serf-wan-port=${serfWan}`,
      '-dns-port=-1',
      '-grpc-port=-1',
      '-grpc-tls-port=-1',
      '-https-port=-1',
      '-log-level=warn',
      '-hcl=disable_update_check = true',
      ...(options.hcl === undefined ? [] : [`-hcl=${options.hcl}`]),
      ...(options.joinWan ?? []).map((port) => `-retry-join-wan=127.0.0.1:${port}`),
      ...(options.joinWan === undefined ? [] : ['-retry-interval-wan=1s']),
    ],
    { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const log = tailOf(child);
  // A test run that ends early must not leave a server behind.
  const killWithUs = () => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const stop = async (signal: NodeJS.Signals = 'SIGKILL') => {
    process.removeListener('exit', killWithUs);
    await end(child, signal);
    if (options.dataDir === undefined) await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${http}`;
  try {
    await ready(url, child, log);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, port: http, datacenter, node, serfWanPort: serfWan, pid: child.pid!, stop };
}

async function ready(url: string, child: ChildProcess, log: () => string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`consul ended with ${child.exitCode ?? child.signalCode}:\n${log()}`);
    if (await servesItself(url)) return;
    await sleep(100);
  }
  throw new Error(`consul at ${url} was not ready within ${READY_WITHIN_MS / 1000} s:\n${log()}`);
}

// The catalog lists the server itself only once the leader has applied its first writes.
async function servesItself(url: string): Promise<boolean> {
  try {
    const reply = await fetch(`${url}/v1/health/service/consul?passing`, {
      signal: AbortSignal.timeout(2000),
    });
    return reply.status === 200 && ((await reply.json()) as unknown[]).length > 0;
  } catch {
    return false;
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOPPED_WITHIN_MS);
  await gone;
  clearTimeout(timer);
}

function tailOf(child: ChildProcess): () => string {
  let tail = '';
  const keep = (chunk: Buffer) => (tail = (tail + chunk.toString()).slice(-LOG_TAIL_CHARACTERS));
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  child.on('error', (error) => (tail += error.message));
  return () => tail;
}
