import { startBackends } from '../rig/backends.ts';
import { startChurn } from '../rig/churn.ts';
import { startFront, type Front, type Variant } from '../rig/front.ts';
import { startLongLived } from '../rig/long-lived.ts';
import { failures, paced } from '../rig/paced.ts';
import type { PacedResult } from '../rig/paced-client.ts';
import { usageOf, type Usage } from '../rig/process-usage.ts';
import type { Context, Goal, Scenario, ScenarioReport, Table } from '../scenario.ts';
import { alternate, pretty, ratio, spread } from '../stats.ts';

type Mode = 'keepalive' | 'short';
const SERVERS = 4;
const CONNECTIONS = 64;
const LONG_LIVED = 32;
const REQUESTS_PER_SECOND: Readonly<Record<Mode, number>> = { keepalive: 2000, short: 700 };
const PERIODS: readonly { readonly ms: number; readonly label: string }[] = [
  { ms: 1000, label: '1 a second' },
  { ms: 100, label: '10 a second' },
  { ms: 10, label: '100 a second' },
];
const VARIANTS: readonly Variant[] = ['static', 'upsync', 'reload', 'template'];

interface Measurement {
  readonly variant: Variant;
  readonly mode: Mode;
  readonly period: string;
  readonly result: PacedResult;
  readonly changes: number;
  readonly workersSeen: number;
  readonly lingering: number;
  readonly longLivedCut: number;
  readonly nginx: Usage;
  readonly peakRssMiB: number;
}

/** What users feel while the list changes: the reload's cost beside ours. */
export const churn: Scenario = {
  name: 'churn',
  title: 'Churn: the list changes under load',
  minutes: 6,
  run,
};

async function run(context: Context): Promise<ScenarioReport> {
  const backends = await startBackends(SERVERS);
  const all: Measurement[] = [];
  const cases = (['keepalive', 'short'] as const).flatMap((mode) =>
    PERIODS.map((period) => ({ mode, period })),
  );
  try {
    for (let round = 0; round < context.rounds; round += 1) {
      for (const { mode, period } of cases) {
        for (const variant of alternate(VARIANTS, round)) {
          context.step(
            `round ${round + 1} of ${context.rounds}, ${mode} clients, ${period.label}, ${variant}`,
          );
          const front = await startFront({ variant, servers: backends.addresses });
          try {
            all.push(await measure(front, backends.addresses, mode, period, context));
          } finally {
            await front.stop();
          }
        }
      }
    }
  } finally {
    await backends.stop();
  }
  return report(all, context);
}

async function measure(
  front: Front,
  servers: readonly string[],
  mode: Mode,
  period: { readonly ms: number; readonly label: string },
  context: Context,
): Promise<Measurement> {
  const seconds = Math.max(2, Math.round(5 * context.scale));
  const common = { host: '127.0.0.1', port: front.port, path: '/', mode, connections: CONNECTIONS };
  await paced({ ...common, requestsPerSecond: 500, seconds: 1 });
  const longLived = startLongLived(front.port, LONG_LIVED);
  const seen = new Set(front.workers().map(({ pid }) => pid));
  let lingering = 0;
  let peakRssMiB = 0;
  const watch = setInterval(() => {
    const workers = front.workers();
    for (const { pid } of workers) seen.add(pid);
    lingering = Math.max(lingering, workers.filter(({ shuttingDown }) => shuttingDown).length);
    peakRssMiB = Math.max(peakRssMiB, usageOf(front.pids()).rssMiB);
  }, 200);
  const changes = front.variant === 'static' ? undefined : startChurn(front, servers, period.ms);
  const result = await paced({ ...common, requestsPerSecond: REQUESTS_PER_SECOND[mode], seconds });
  const made = (await changes?.stop()) ?? 0;
  clearInterval(watch);
  const nginx = usageOf(front.pids());
  const longLivedCut = longLived.cut();
  longLived.stop();
  return {
    variant: front.variant,
    mode,
    period: period.label,
    result,
    changes: made,
    workersSeen: seen.size,
    lingering,
    longLivedCut,
    nginx,
    peakRssMiB,
  };
}

function report(all: readonly Measurement[], context: Context): ScenarioReport {
  const pick = (mode: Mode, period: string, variant: Variant): Measurement[] =>
    all.filter((one) => one.mode === mode && one.period === period && one.variant === variant);
  const median = (from: readonly Measurement[], value: (one: Measurement) => number): number =>
    spread(from.map(value)).median;
  const tables: Table[] = (['keepalive', 'short'] as const).map((mode) => ({
    caption: `${mode} clients, ${REQUESTS_PER_SECOND[mode]} requests a second, open loop; medians of the rounds`,
    columns: [
      'changes',
      'variant',
      'p50 ms',
      'p99 ms',
      'p99.9 ms',
      'max ms',
      'p99 ratio to static',
      'failed',
      'connections dropped',
      'workers started',
      'old workers at once',
      'downloads cut',
      'peak MiB',
      'page faults',
      'context switches',
      'CPU s',
    ],
    rows: PERIODS.flatMap(({ label }) =>
      VARIANTS.map((variant) => {
        const ones = pick(mode, label, variant);
        const base = pick(mode, label, 'static');
        const relative = ratio(
          ones.map((one) => one.result.latency.p99),
          base.map((one) => one.result.latency.p99),
        );
        const show = (value: (one: Measurement) => number): string => pretty(median(ones, value));
        return [
          variant === 'static' ? 'none' : label,
          variant,
          show((one) => one.result.latency.p50),
          show((one) => one.result.latency.p99),
          show((one) => one.result.latency.p999),
          show((one) => one.result.latency.max),
          `${relative.median.toFixed(2)} (${relative.min.toFixed(2)} to ${relative.max.toFixed(2)})`,
          show((one) => failures(one.result)),
          show((one) => one.result.connectionsDropped),
          show((one) => one.workersSeen - 2),
          show((one) => one.lingering),
          show((one) => one.longLivedCut),
          show((one) => one.peakRssMiB),
          show((one) => one.nginx.minorFaults),
          show((one) => one.nginx.contextSwitches),
          show((one) => one.nginx.cpuSeconds),
        ];
      }),
    ),
  }));
  const tenASecond = ratio(
    pick('keepalive', '10 a second', 'upsync').map((one) => one.result.latency.p99),
    pick('keepalive', '10 a second', 'static').map((one) => one.result.latency.p99),
  );
  const failed = all
    .filter((one) => one.variant === 'upsync')
    .reduce((sum, one) => sum + failures(one.result), 0);
  const goals: Goal[] = [
    {
      text: 'at 10 changes a second, p99 at most 1.1 × static (keepalive clients)',
      measured: `${tenASecond.median.toFixed(2)} (${tenASecond.min.toFixed(2)} to ${tenASecond.max.toFixed(2)})`,
      met: tenASecond.median <= 1.1,
    },
    { text: 'no failed request because of an update', measured: `${failed} failed`, met: failed === 0 },
  ];
  const bars = (mode: Mode, value: (one: Measurement) => number): ScenarioReport['plots'][number]['bars'] =>
    PERIODS.flatMap(({ label }) =>
      VARIANTS.map((variant) => ({
        label: `${label}, ${variant}`,
        ...spread(pick(mode, label, variant).map(value)),
      })),
    );
  return {
    name: churn.name,
    title: churn.title,
    method: `The last of ${SERVERS} servers is removed and added back in turn while a paced client sends requests and ${LONG_LIVED} slow downloads are held open. Latency counts from the moment a request was due, so a stall is seen in full. \`reload\` rewrites an include file and sends HUP; \`template\` follows the same registry as Upsync, renders, runs \`nginx -t\` and sends HUP, without waiting times of its own. Dropped connections, page faults and old workers are what the reload's cost consists of. ${context.rounds} rounds.`,
    tables,
    plots: [
      {
        file: 'churn-p99.svg',
        title: 'p99 latency while the list changes (keepalive clients)',
        unit: 'ms',
        logarithmic: true,
        bars: bars('keepalive', (one) => one.result.latency.p99),
      },
      {
        file: 'churn-dropped.svg',
        title: 'Client connections dropped by nginx (keepalive clients)',
        unit: 'connections',
        bars: bars('keepalive', (one) => one.result.connectionsDropped),
      },
    ],
    goals,
    measures: Object.fromEntries(
      (['keepalive', 'short'] as const).flatMap((mode) =>
        PERIODS.flatMap(({ label }) =>
          VARIANTS.map((variant) => [
            `churn ${mode} ${label} ${variant} p99 ms`,
            pick(mode, label, variant).map((one) => one.result.latency.p99),
          ]),
        ),
      ),
    ),
  };
}
