import { setTimeout as delay } from 'node:timers/promises';
import { start } from '../rig/child.ts';
import { startFleet } from '../rig/fleet.ts';
import { memoryOf } from '../rig/process-usage.ts';
import type { Context, Goal, Scenario, ScenarioReport } from '../scenario.ts';
import { percentile, pretty } from '../stats.ts';
import { measureFleet, type Row, type Size } from './scale-measure.ts';

const CASES: readonly Size[] = [
  { upstreams: 1, servers: 10 },
  { upstreams: 1, servers: 100 },
  { upstreams: 1, servers: 1000 },
  { upstreams: 1, servers: 10_000 },
  { upstreams: 1, servers: 50_000 },
  { upstreams: 10, servers: 7 },
  { upstreams: 100, servers: 7 },
  { upstreams: 1000, servers: 7 },
  { upstreams: 6500, servers: 7 },
];
const CPU_GOAL = 0.05;
const MEMORY_GOAL_MIB = 300;
const IDLE_SECONDS = 4;

/** How cost grows with servers and with upstreams. */
export const scale: Scenario = {
  name: 'scale',
  title: 'Scale: many servers, many upstreams',
  minutes: 2.2,
  minutesOnce: 2.2,
  run,
};

async function run(context: Context): Promise<ScenarioReport> {
  const rows: Row[] = [];
  for (const { upstreams, servers } of CASES) {
    context.step(`${pretty(upstreams)} upstreams of ${pretty(servers)} servers`);
    const fleet = await startFleet(upstreams, servers);
    try {
      rows.push(await measureFleet(fleet, { upstreams, servers }, Math.max(3, IDLE_SECONDS * context.scale)));
    } finally {
      await fleet.stop();
    }
  }
  const bareMiB = await bareNode();
  return {
    name: scale.name,
    title: scale.title,
    method:
      'Upsync with 2 nginx workers on the embedded registry, KV lists under one prefix. Settled: from the start of the program until every worker has every list of the registry. Update: from before the write of one weight until every worker has it. Idle: CPU of nginx, engine and supervisor together over some seconds without a change. Each size is measured once, whatever the rounds.',
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
          'engine MiB',
          'supervisor MiB',
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
          pretty(row.engine.rssMiB),
          pretty(row.supervisor.rssMiB),
          pretty(row.nginx.rssMiB),
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
    goals: goalsOf(rows[rows.length - 1]!, bareMiB),
    measures: Object.fromEntries(
      rows.map((row) => [`scale ${row.upstreams}x${row.servers} update ms`, row.updates]),
    ),
  };
}

function goalsOf({ idleCpu, engine, supervisor }: Row, bareMiB: number): Goal[] {
  const followers = engine.rssMiB + supervisor.rssMiB;
  return [
    {
      text: '6 500 upstreams with 45 500 servers: idle under 5 % of a core',
      measured: `${(idleCpu * 100).toFixed(1)} %`,
      met: idleCpu < CPU_GOAL,
    },
    {
      text: `and the engine and supervisor under ${MEMORY_GOAL_MIB} MiB`,
      measured: `${pretty(followers)} MiB`,
      met: followers < MEMORY_GOAL_MIB,
      why: `Both are Node processes, of which one that does nothing takes ${pretty(bareMiB)} MiB here. The rest is what the engine keeps (the registry's entries, the lists, what each target confirmed), what the first reply took that holds all of them, and what the supervisor took to translate the configuration.`,
      profile: {
        caption: 'MiB by process',
        columns: ['process', 'resident', 'heap and other memory of its own', 'program files'],
        rows: Object.entries({ engine, supervisor }).map(([name, { rssMiB, anonymousMiB }]) => [
          name,
          ...[rssMiB, anonymousMiB, rssMiB - anonymousMiB].map(pretty),
        ]),
      },
    },
  ];
}

async function bareNode(): Promise<number> {
  const child = start(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
  await delay(500);
  const { rssMiB } = memoryOf([child.pid]);
  await child.stop();
  return rssMiB;
}
