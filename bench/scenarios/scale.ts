import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { NginxControl } from '../../src/upsync/nginx/control.ts';
import { fleetAddress, startFleet, type Fleet } from '../rig/fleet.ts';
import { processTree, usageOf } from '../rig/process-usage.ts';
import type { Context, Scenario, ScenarioReport } from '../scenario.ts';
import { percentile, pretty } from '../stats.ts';

const CASES: readonly { readonly upstreams: number; readonly servers: number }[] = [
  { upstreams: 1, servers: 10 },
  { upstreams: 1, servers: 1000 },
  { upstreams: 1, servers: 10_000 },
  { upstreams: 1, servers: 50_000 },
  { upstreams: 100, servers: 7 },
  { upstreams: 1000, servers: 7 },
  { upstreams: 6500, servers: 7 },
];
const CPU_GOAL = 0.05;
const MEMORY_GOAL_MIB = 300;
const SETTLE_BOUND_MS = 120_000;

interface Row {
  readonly upstreams: number;
  readonly servers: number;
  readonly startMs: number;
  readonly settleMs: number;
  readonly updates: readonly number[];
  readonly idleCpu: number;
  readonly engineMiB: number;
  readonly nginxMiB: number;
  readonly connections: number;
}

/** How cost grows with servers and with upstreams. */
export const scale: Scenario = {
  name: 'scale',
  title: 'Scale: many servers, many upstreams',
  minutes: 3,
  run,
};

async function run(context: Context): Promise<ScenarioReport> {
  const rows: Row[] = [];
  for (const { upstreams, servers } of CASES) {
    context.step(`${pretty(upstreams)} upstreams of ${pretty(servers)} servers`);
    const fleet = await startFleet(upstreams, servers);
    try {
      rows.push(await measure(fleet, upstreams, servers, context));
    } finally {
      await fleet.stop();
    }
  }
  const largest = rows[rows.length - 1]!;
  return {
    name: scale.name,
    title: scale.title,
    method:
      'Upsync with 2 nginx workers on the embedded registry, KV lists under one prefix. Settled: from the start of the program until every worker has every list of the registry. Update: from before the write of one weight until every worker has it. Idle: CPU of nginx, engine and supervisor together over some seconds without a change.',
    tables: [
      {
        caption: 'Cost by size',
        columns: [
          'upstreams',
          'servers in all',
          'nginx listens ms',
          'settled ms',
          'update p50 ms',
          'update max ms',
          'idle CPU % of a core',
          'engine and supervisor MiB',
          'nginx MiB',
          'registry connections',
        ],
        rows: rows.map((row) => [
          pretty(row.upstreams),
          pretty(row.upstreams * row.servers),
          pretty(row.startMs),
          pretty(row.settleMs),
          pretty(percentile(row.updates, 50)),
          pretty(percentile(row.updates, 100)),
          (row.idleCpu * 100).toFixed(1),
          pretty(row.engineMiB),
          pretty(row.nginxMiB),
          String(row.connections),
        ]),
      },
    ],
    plots: [
      {
        file: 'scale-update.svg',
        title: 'One update until every worker has it',
        unit: 'ms',
        logarithmic: true,
        bars: rows.map((row) => ({
          label: `${pretty(row.upstreams)} × ${pretty(row.servers)}`,
          median: percentile(row.updates, 50),
          min: percentile(row.updates, 1),
          max: percentile(row.updates, 100),
        })),
      },
    ],
    goals: [
      {
        text: '6 500 upstreams with 45 500 servers: idle under 5 % of a core',
        measured: `${(largest.idleCpu * 100).toFixed(1)} %`,
        met: largest.idleCpu < CPU_GOAL,
      },
      {
        text: `and the engine and supervisor under ${MEMORY_GOAL_MIB} MiB`,
        measured: `${pretty(largest.engineMiB)} MiB`,
        met: largest.engineMiB < MEMORY_GOAL_MIB,
      },
    ],
    measures: Object.fromEntries(
      rows.map((row) => [`scale ${row.upstreams}x${row.servers} update ms`, row.updates]),
    ),
  };
}

async function measure(fleet: Fleet, upstreams: number, servers: number, context: Context): Promise<Row> {
  const control = new NginxControl({ socketPath: fleet.controlSocket, timeoutMs: 30_000 });
  try {
    const begun = performance.now();
    await settled(control, upstreams, servers);
    const settleMs = fleet.startMs + performance.now() - begun;
    await delay(3000);
    const updates: number[] = [];
    for (let change = 1; change <= 20; change += 1) updates.push(await update(fleet, control, change));
    await delay(2000);
    const seconds = Math.max(3, 8 * context.scale);
    const before = usageOf(processTree(fleet.pid)).cpuSeconds;
    await delay(seconds * 1000);
    const idleCpu = (usageOf(processTree(fleet.pid)).cpuSeconds - before) / seconds;
    const all = processTree(fleet.pid);
    const nodes = all.filter((pid) => isNode(pid));
    const port = Number(new URL(fleet.registry.url).port);
    return {
      upstreams,
      servers,
      startMs: fleet.startMs,
      settleMs,
      updates,
      idleCpu,
      engineMiB: usageOf(nodes).rssMiB,
      nginxMiB: usageOf(all.filter((pid) => !nodes.includes(pid))).rssMiB,
      connections: connectionsTo(port, nodes),
    };
  } finally {
    await control.close();
  }
}

async function settled(control: NginxControl, upstreams: number, servers: number): Promise<void> {
  const end = performance.now() + SETTLE_BOUND_MS;
  while (performance.now() < end) {
    const state = await control.state().catch(() => undefined);
    const lists = Object.values(state?.upstreams ?? {});
    const complete =
      lists.length === upstreams && lists.every((list) => list.version > 0 && list.servers === servers);
    if (complete && state!.workers.every((worker) => worker.generation >= state!.generation)) return;
    await delay(50);
  }
  throw new Error(`the lists were not in nginx within ${SETTLE_BOUND_MS / 1000} s`);
}

async function update(fleet: Fleet, control: NginxControl, change: number): Promise<number> {
  const { generation } = await control.workers();
  const begun = performance.now();
  await fleet.registry.put('u0', fleetAddress(0), JSON.stringify({ weight: 1 + change }));
  for (;;) {
    const { workers } = await control.workers();
    if (workers.every((worker) => worker.generation > generation)) break;
    if (performance.now() - begun > 30_000)
      throw new Error('an update did not reach every worker within 30 s');
    await delay(1);
  }
  const took = performance.now() - begun;
  await delay(100);
  return took;
}

function isNode(pid: number): boolean {
  return execFileSync('/bin/sh', ['-c', `readlink /proc/${pid}/exe || true`], { encoding: 'utf8' }).includes(
    'node',
  );
}

// Established connections of these processes to the registry, as the kernel lists them.
function connectionsTo(port: number, pids: readonly number[]): number {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set(
    pids.flatMap((pid) =>
      execFileSync(
        '/bin/sh',
        ['-c', `ls -l /proc/${pid}/fd 2>/dev/null | grep -o 'socket:\\[[0-9]*' | grep -o '[0-9]*' || true`],
        { encoding: 'utf8' },
      ).split('\n'),
    ),
  );
  const table = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  return table
    .map((line) => line.trim().split(/\s+/))
    .filter(
      (fields) => fields[2]?.endsWith(`:${hexPort}`) && fields[3] === '01' && inodes.has(fields[9] ?? ''),
    ).length;
}
