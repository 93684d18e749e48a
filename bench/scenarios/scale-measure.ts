import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { NginxControl } from '../../src/upsync/nginx/control.ts';
import { fleetAddress, type Fleet } from '../rig/fleet.ts';
import { commandLine, memoryOf, processTree, usageOf, type Memory } from '../rig/process-usage.ts';

export interface Size {
  readonly upstreams: number;
  readonly servers: number;
}

/** What one size costs. */
export interface Row extends Size {
  readonly startMs: number;
  readonly settleMs: number;
  readonly updates: readonly number[];
  /** Of one core, all processes together. */
  readonly idleCpu: number;
  readonly engine: Memory;
  readonly supervisor: Memory;
  readonly nginx: Memory;
  readonly connections: number;
}

const UPDATES = 15;
const UPDATES_MS = 8000;
const SETTLE_BOUND_MS = 120_000;

/** Settles, updates, idles, and looks at the processes. */
export async function measureFleet(
  fleet: Fleet,
  { upstreams, servers }: Size,
  idleSeconds: number,
): Promise<Row> {
  const control = new NginxControl({ socketPath: fleet.controlSocket, timeoutMs: 30_000 });
  try {
    const begun = performance.now();
    await settled(control, upstreams, servers);
    const settleMs = fleet.startMs + performance.now() - begun;
    await delay(1500);
    const updates: number[] = [];
    const end = performance.now() + UPDATES_MS;
    for (let change = 1; change <= UPDATES && performance.now() < end; change += 1)
      updates.push(await update(fleet, control, change));
    await delay(1000);
    const before = usageOf(processTree(fleet.pid)).cpuSeconds;
    await delay(idleSeconds * 1000);
    const idleCpu = (usageOf(processTree(fleet.pid)).cpuSeconds - before) / idleSeconds;
    const all = processTree(fleet.pid);
    const engine = all.filter((pid) => commandLine(pid).includes('engine-main'));
    const nginx = all.filter((pid) => commandLine(pid).startsWith('nginx:'));
    const supervisor = all.filter((pid) => !engine.includes(pid) && !nginx.includes(pid));
    const port = Number(new URL(fleet.registry.url).port);
    return {
      upstreams,
      servers,
      startMs: fleet.startMs,
      settleMs,
      updates,
      idleCpu,
      engine: memoryOf(engine),
      supervisor: memoryOf(supervisor),
      nginx: memoryOf(nginx),
      connections: connectionsTo(port, [...engine, ...supervisor]),
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
