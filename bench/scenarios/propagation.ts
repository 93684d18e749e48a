import { setTimeout as delay } from 'node:timers/promises';
import { NginxControl } from '../../src/upsync/nginx/control.ts';
import { startBackends } from '../rig/backends.ts';
import { startFront, type Front, type Variant } from '../rig/front.ts';
import { HttpConnection } from '../rig/http-connection.ts';
import type { Context, Scenario, ScenarioReport } from '../scenario.ts';
import { alternate, percentile, pretty, spread } from '../stats.ts';

const VARIANTS: readonly Variant[] = ['upsync', 'template'];
const GOAL_MS = 25;
const BOUND_MS = 10_000;

/** From a write in the registry to requests and to every worker. */
export const propagation: Scenario = {
  name: 'propagation',
  title: 'Propagation: from the registry to nginx',
  minutes: 1.4,
  run,
};

async function run(context: Context): Promise<ScenarioReport> {
  const changes = Math.max(10, Math.round(60 * context.scale));
  const first = new Map<Variant, number[]>(VARIANTS.map((variant) => [variant, []]));
  const every = new Map<Variant, number[]>(VARIANTS.map((variant) => [variant, []]));
  const answered: number[] = [];
  const rounds = new Map<Variant, number[]>(VARIANTS.map((variant) => [variant, []]));
  const backends = await startBackends(2);
  try {
    for (let round = 0; round < context.rounds; round += 1) {
      for (const variant of alternate(VARIANTS, round)) {
        context.step(`round ${round + 1} of ${context.rounds}, ${variant}, ${changes} changes`);
        const front = await startFront({ variant, servers: backends.addresses.slice(0, 1) });
        try {
          await delay(1500);
          first.get(variant)!.push(...(await untilRequest(front, backends.addresses, changes)));
          await front.change(backends.addresses.slice(0, 1));
          await delay(500);
          const { times, writes } = await untilEveryWorker(front, backends.addresses, changes);
          every.get(variant)!.push(...times);
          if (variant === 'upsync') answered.push(...writes);
          rounds.get(variant)!.push(percentile(times, 99));
        } finally {
          await front.stop();
        }
      }
    }
  } finally {
    await backends.stop();
  }
  const ours = percentile(every.get('upsync')!, 99);
  const row = (what: string, variant: Variant, times: readonly number[]): string[] => [
    what,
    variant,
    ...[50, 90, 99, 100].map((rank) => pretty(percentile(times, rank))),
    String(times.length),
  ];
  return {
    name: propagation.name,
    title: propagation.title,
    method: `${changes} changes a round, ${context.rounds} rounds: first one server takes another's place, then a weight changes. The clock starts before the write is sent and so includes the registry's own time. First request: new connections, one after the other, until the new server answers. Every worker: the workers' own acknowledgement (Upsync), or until every worker is a new one and no old one takes connections (reload).`,
    tables: [
      {
        caption: 'Milliseconds',
        columns: ['until', 'variant', 'p50', 'p90', 'p99', 'max', 'changes'],
        rows: [
          ...VARIANTS.map((variant) => row('first request on the new server', variant, first.get(variant)!)),
          row('the registry has answered the write', 'upsync', answered),
          ...VARIANTS.map((variant) => row('every worker on the new list', variant, every.get(variant)!)),
        ],
      },
    ],
    plots: [
      {
        file: 'propagation.svg',
        title: 'p99 until every worker has the new list',
        unit: 'ms',
        logarithmic: true,
        bars: VARIANTS.map((variant) => ({ label: variant, ...spread(rounds.get(variant)!) })),
      },
    ],
    goals: [
      {
        text: `every worker within ${GOAL_MS} ms (p99)`,
        measured: `${pretty(ours)} ms`,
        met: ours <= GOAL_MS,
        why: `Of it the registry takes ${pretty(percentile(answered, 50))} ms (p50) and ${pretty(percentile(answered, 99))} ms (p99) to answer the write; the median change is in every worker after ${pretty(percentile(every.get('upsync')!, 50))} ms.`,
      },
    ],
    measures: Object.fromEntries(
      VARIANTS.map((variant) => [`propagation ${variant} every worker p99 ms`, rounds.get(variant)!]),
    ),
  };
}

async function untilRequest(front: Front, addresses: readonly string[], changes: number): Promise<number[]> {
  const times: number[] = [];
  for (let change = 1; change <= changes; change += 1) {
    const next = addresses[change % 2]!;
    const begun = performance.now();
    await front.change([next]);
    await until(async () => (await ask(front.port)) === next.split(':')[1]);
    times.push(performance.now() - begun);
    await delay(60);
  }
  return times;
}

async function untilEveryWorker(
  front: Front,
  addresses: readonly string[],
  changes: number,
): Promise<{ times: number[]; writes: number[] }> {
  const times: number[] = [];
  const writes: number[] = [];
  const control =
    front.variant === 'upsync' ? new NginxControl({ socketPath: front.controlSocket() }) : undefined;
  for (let change = 1; change <= changes; change += 1) {
    const generation = (await control?.workers())?.generation ?? 0;
    const before = new Set(front.workers().map(({ pid }) => pid));
    const begun = performance.now();
    await front.registry!.put('backend', addresses[0]!, JSON.stringify({ weight: 1 + change }));
    writes.push(performance.now() - begun);
    if (control === undefined) await until(() => Promise.resolve(allReplaced(front, before)));
    else await until(async () => allHave(await control.workers(), generation));
    times.push(performance.now() - begun);
    await delay(60);
  }
  await control?.close();
  return { times, writes };
}

function allHave(state: { workers: readonly { generation: number }[] }, generation: number): boolean {
  return state.workers.length > 0 && state.workers.every((worker) => worker.generation > generation);
}

function allReplaced(front: Front, before: ReadonlySet<number>): boolean {
  const workers = front.workers();
  const fresh = workers.filter(({ pid, shuttingDown }) => !before.has(pid) && !shuttingDown);
  return fresh.length > 0 && workers.every(({ pid, shuttingDown }) => !before.has(pid) || shuttingDown);
}

async function ask(port: number): Promise<string> {
  const connection = new HttpConnection('127.0.0.1', port);
  const outcome = await connection.send('GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n');
  connection.destroy();
  return outcome.kind === 'ok' ? outcome.body : '';
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + BOUND_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`the change was not seen within ${BOUND_MS / 1000} s`);
    await delay(1);
  }
}
