import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import type { Client } from 'undici';
import type { Server } from '../../src/upstream/server.ts';
import { NginxControl } from '../../src/upsync/nginx/control.ts';
import type { EngineStatus } from '../../src/sidecar/engine-status.ts';
import { ChangingPool } from '../helpers/changing-pool.ts';
import { startPlainBackends } from '../helpers/plain-backends.ts';
import { openClient, startWrk, SteadyLoad } from '../helpers/steady-load.ts';
import { Box, until } from '../helpers/upsync-nginx.ts';

// A thousand random changes of one list while clients keep asking. UPSYNC_SEED repeats a run.

const CHANGES = 1000;
const SAMPLES = 10;
const BACKENDS = 12;
const PAUSE_MS = 10;
/** Requests to each worker when the shares are measured, at least: what is left of a cycle is then far below 1 %. */
const MEASURED = 600;

for (const workers of [2, 4]) {
  await t.test(`a thousand changes under load, ${workers} workers`, async (t) => {
    const box = await Box.open(t);
    const backends = await startPlainBackends(BACKENDS);
    t.teardown(() => backends.close());
    const seed = Number(process.env['UPSYNC_SEED'] ?? Date.now() % 1_000_000) + workers;
    t.comment(`UPSYNC_SEED=${seed - workers}`);
    const pool = new ChangingPool(backends.addresses, seed);
    for (const { address, body } of pool.all()) await box.put(address, body);
    configure(box, workers);
    await box.start();
    await until(async () => isInForce(await status(box), pool));
    const before = box.processes();
    const url = `http://127.0.0.1:${box.proxyPort}/`;
    const perWorker = await clientsByWorker(url, before.workers);
    const load = new SteadyLoad(url);
    const wrk = startWrk(url, 240);
    if (!wrk) t.comment('no wrk on this machine: only the paced clients ask');

    let worst = 0;
    for (let change = 1; change <= CHANGES; change++) {
      const { address, body } = pool.change();
      await (body === undefined ? box.remove(address) : box.put(address, body));
      await delay(PAUSE_MS);
      if (change % (CHANGES / SAMPLES) !== 0) continue;
      await until(async () => isInForce(await status(box), pool), 30_000);
      wrk?.pause();
      await load.pause();
      // What wrk had asked before it was stopped is answered within this time.
      await delay(100);
      const deviation = await sharesOff(perWorker, pool);
      worst = Math.max(worst, deviation);
      t.ok(
        deviation <= 0.01,
        `after ${change} changes each share is within 1 % (${percent(deviation)} at most)`,
      );
      load.resume();
      wrk?.resume();
    }

    const report = await load.stop();
    const words = await wrk?.stop();
    t.comment(`${report.requests} paced requests, worst share ${percent(worst)} off; wrk: ${counted(words)}`);
    t.same(report.failures, [], 'no paced request failed');
    t.equal(report.connections, 8, 'every client still has its first connection');
    if (words !== undefined) {
      t.match(words, /[1-9]\d* requests in/, 'wrk was answered');
      t.notMatch(words, /Non-2xx|Socket errors/, 'and nothing but well');
    }
    t.same(box.processes(), before, 'the same master, workers and engine');
    t.notMatch(box.read('error.log'), /\[(alert|crit|emerg|error)\]/, 'nothing bad in the error log');

    const [engine] = await status(box);
    const upstream = engine!.upstreams[0]!;
    t.same(keyed(upstream.servers), keyed(pool.servers()), "the engine's list is the registry's");
    const nginx = upstream.targets.find(({ workers: reported }) => reported.length > 0)!;
    t.same(
      nginx.workers.map(({ pid, version }) => ({ pid, version })).sort((a, b) => a.pid - b.pid),
      [...before.workers].sort((a, b) => a - b).map((pid) => ({ pid, version: upstream.version })),
      'each worker says that it runs the newest version',
    );
    const control = new NginxControl({ socketPath: box.controlSocket() });
    t.teardown(() => control.close());
    const state = await control.state();
    t.equal(state.upstreams['test']?.servers, pool.servers().length, 'the dictionary has as many servers');
    for (const worker of state.workers)
      t.ok(
        worker.generation >= state.upstreams['test']!.generation,
        `worker ${worker.id} has put it to work`,
      );
    for (const client of perWorker.values()) await client.close();
  });
}

function configure(box: Box, workers: number): void {
  writeFileSync(
    box.file('nginx.conf'),
    `daemon off; worker_processes ${workers};
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 10000000; keepalive_timeout 600; proxy_next_upstream off;
  upstream test {
    upsync 127.0.0.1:${box.registry.port}/v1/kv/upstreams/test/ upsync_type=consul upsync_interval=50ms;
    upsync_dump_path ${box.file('servers_test.conf')};
    server 127.0.0.1:1;
    keepalive 32;
  }
  server {
    listen 127.0.0.1:${box.proxyPort} reuseport;
    location / { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://test; }
    location = /pid { return 200 $pid; }
  }
}
`,
  );
}

async function status(box: Box): Promise<EngineStatus[]> {
  const { output } = await box.runAsync('show', 'test', '--json');
  return output.startsWith('[') ? (JSON.parse(output) as EngineStatus[]) : [];
}

// The registry's list, in every worker.
function isInForce([engine]: readonly EngineStatus[], pool: ChangingPool): boolean {
  const upstream = engine?.upstreams[0];
  if (!upstream) return false;
  const nginx = upstream.targets.filter(({ workers }) => workers.length > 0);
  return (
    JSON.stringify(keyed(upstream.servers)) === JSON.stringify(keyed(pool.servers())) &&
    nginx.length > 0 &&
    nginx.every(({ workers }) => workers.every(({ version }) => version === upstream.version))
  );
}

function keyed(servers: readonly Server[]): (readonly [string, number, boolean, number, number])[] {
  return servers
    .map((one) => [one.address, one.weight, one.down, one.maxFails, one.failTimeoutMs] as const)
    .sort(([one], [other]) => one.localeCompare(other));
}

// With reuseport the kernel spreads connections over the workers by port, so that each worker gets one before long.
async function clientsByWorker(url: string, workers: readonly number[]): Promise<Map<number, Client>> {
  const found = new Map<number, Client>();
  for (let attempt = 0; attempt < 500 && found.size < workers.length; attempt++) {
    const client = openClient(url);
    const pid = Number(await ask(client, '/pid'));
    if (found.has(pid)) await client.close();
    else found.set(pid, client);
  }
  if (found.size < workers.length) throw new Error(`only workers ${[...found.keys()].join(', ')} answer`);
  return found;
}

/** By how much the share of a server is off its weight, at most, in any worker: 0.01 is one of a hundred requests. */
async function sharesOff(clients: ReadonlyMap<number, Client>, pool: ChangingPool): Promise<number> {
  const up = pool.servers().filter((server) => !server.down);
  const total = up.reduce((sum, { weight }) => sum + weight, 0);
  const requests = total * Math.ceil(MEASURED / total);
  const deviations = await Promise.all(
    [...clients.values()].map(async (client) => {
      const counts = new Map<string, number>();
      for (let request = 0; request < requests; request++) {
        const address = await ask(client, '/');
        counts.set(address, (counts.get(address) ?? 0) + 1);
      }
      for (const address of counts.keys()) if (!up.some((server) => server.address === address)) return 1;
      return Math.max(
        ...up.map(({ address, weight }) => Math.abs((counts.get(address) ?? 0) / requests - weight / total)),
      );
    }),
  );
  return Math.max(...deviations);
}

async function ask(client: Client, url: string): Promise<string> {
  const { statusCode, body } = await client.request({ path: url, method: 'GET' });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}: ${text}`);
  return text;
}

function counted(words: string | undefined): string {
  return /\d+ requests in \S+/.exec(words ?? '')?.[0] ?? 'none';
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}
