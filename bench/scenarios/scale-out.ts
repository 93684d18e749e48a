import { startBackends } from '../rig/backends.ts';
import { startFront } from '../rig/front.ts';
import { failures, paced, type PacedResult } from '../rig/paced.ts';
import { NginxControl } from '../../src/upsync/nginx/control.ts';
import { LATENCY_COLUMNS, latencyCells, pooled } from '../latency.ts';
import type { Context, Scenario, ScenarioReport } from '../scenario.ts';
import { pretty, ratio, spread, within } from '../stats.ts';

const CONTAINERS = 3000;
const REAL_MINUTES = 10;
const RATE = 1000;
const STATIC_SECONDS = 5;

interface Round {
  readonly variant: 'static' | 'upsync';
  readonly result: PacedResult;
  readonly endState: number;
}

/** Weibo's evening: 3,000 containers join within ten minutes, replayed faster, under load, and leave again. */
export const scaleOut: Scenario = {
  name: 'scale-out',
  title: 'Scale-out: 3 000 containers join under load',
  minutes: 1.2,
  run,
};

async function run(context: Context): Promise<ScenarioReport> {
  const joinSeconds = Math.max(5, Math.round(15 * context.scale));
  const rounds: Round[] = [];
  // Distinct loopback addresses on a few real ports stand for containers: each one is a server that answers.
  const backends = await startBackends(1, '0.0.0.0');
  const port = backends.ports[0]!;
  const containers = Array.from(
    { length: CONTAINERS },
    (_, at) => `127.0.${1 + Math.floor(at / 250)}.${1 + (at % 250)}:${port}`,
  );
  try {
    for (let round = 0; round < context.rounds; round += 1) {
      for (const variant of ['static', 'upsync'] as const) {
        context.step(`round ${round + 1} of ${context.rounds}, ${variant}`);
        rounds.push(await play(variant, containers, joinSeconds));
      }
    }
  } finally {
    await backends.stop();
  }
  const of = (variant: Round['variant']): Round[] => rounds.filter((one) => one.variant === variant);
  const failed = of('upsync').reduce((sum, { result }) => sum + failures(result.keepalive), 0);
  const complete = of('upsync').every(({ endState }) => endState === CONTAINERS);
  const p99 = (variant: Round['variant']): number[] =>
    of(variant).map(({ result }) => pooled([result.keepalive.microseconds]).p99);
  const relative = ratio(p99('upsync'), p99('static'));
  return {
    name: scaleOut.name,
    title: scaleOut.title,
    revision: 2,
    method: `${CONTAINERS} servers are written to the registry one by one within ${joinSeconds} s (Weibo: ${REAL_MINUTES} minutes, so ${Math.round((REAL_MINUTES * 60) / joinSeconds)} times faster) while a paced client sends ${RATE} requests a second over keepalive connections (${STATIC_SECONDS} s of them to the static nginx). Every container is a loopback address that answers.`,
    tables: [
      {
        caption: `${context.rounds} rounds; percentiles of all pooled, medians of the rest`,
        columns: [
          'variant',
          ...LATENCY_COLUMNS,
          'p99 ratio to static',
          'failed',
          'client connections dropped',
          'servers in every worker at the end',
        ],
        rows: (['static', 'upsync'] as const).map((variant) => {
          const show = (value: (one: Round) => number): string =>
            pretty(spread(of(variant).map(value)).median);
          const latency = pooled(of(variant).map(({ result }) => result.keepalive.microseconds));
          return [
            variant,
            ...latencyCells(latency),
            variant === 'static' ? '1' : within(relative.median, relative.min, relative.max),
            show(({ result }) => failures(result.keepalive)),
            show(({ result }) => result.keepalive.dropped),
            show(({ endState }) => endState),
          ];
        }),
      },
    ],
    plots: [],
    goals: [
      {
        text: '3 000 servers join under load: no failed request, and every worker has all of them',
        measured: `${failed} failed, ${complete ? 'complete' : 'incomplete'}`,
        met: failed === 0 && complete,
        why: `Failures by kind: ${JSON.stringify(of('upsync').map(({ result }) => result.keepalive.errors))}. Servers in every worker at the end of each round: ${of(
          'upsync',
        )
          .map(({ endState }) => endState)
          .join(', ')}.`,
      },
    ],
    measures: Object.fromEntries(
      (['static', 'upsync'] as const).map((variant) => [`scale-out ${variant} p99 ms`, p99(variant)]),
    ),
  };
}

async function play(
  variant: Round['variant'],
  containers: readonly string[],
  joinSeconds: number,
): Promise<Round> {
  const first = containers.slice(0, 4);
  const front = await startFront({ variant, servers: first });
  try {
    await paced({ port: front.port, keepaliveRate: RATE, seconds: 0.5 });
    const client = paced({
      port: front.port,
      keepaliveRate: RATE,
      seconds: variant === 'upsync' ? joinSeconds + 2 : STATIC_SECONDS,
    });
    if (variant === 'upsync') await join(front.registry!, containers.slice(4), joinSeconds);
    const result = await client;
    return {
      variant,
      result,
      endState: variant === 'upsync' ? await serversInForce(front.controlSocket()) : first.length,
    };
  } finally {
    await front.stop();
  }
}

async function join(
  registry: { put(upstream: string, server: string): Promise<void> },
  containers: readonly string[],
  seconds: number,
): Promise<void> {
  const begun = performance.now();
  for (const [at, container] of containers.entries()) {
    const due = begun + (at * seconds * 1000) / containers.length;
    if (due > performance.now()) await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
    await registry.put('backend', container);
  }
}

async function serversInForce(socketPath: string): Promise<number> {
  const control = new NginxControl({ socketPath });
  try {
    const { upstreams, workers } = await control.state();
    const list = upstreams['backend'];
    return list !== undefined && workers.every((worker) => worker.generation >= list.generation)
      ? list.servers
      : -1;
  } finally {
    await control.close();
  }
}
