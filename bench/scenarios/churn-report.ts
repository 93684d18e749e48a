import { LATENCY_COLUMNS, latencyCells, pooled } from '../latency.ts';
import type { Goal, Plot, ScenarioReport, Table } from '../scenario.ts';
import { pretty, spread } from '../stats.ts';
import { IN_TURNS, LOAD, type Measured, type Step } from './churn-plan.ts';
import { churnRows, showRatio, type Mode, type Row } from './churn-ratio.ts';

type Report = Omit<ScenarioReport, 'name' | 'title'>;

const MODES: readonly Mode[] = ['keepalive', 'short'];
const RATES: Readonly<Record<Mode, number>> = { keepalive: LOAD.keepaliveRate, short: LOAD.shortRate };
const P99_GOAL = 1.1;
const MILLISECONDS = 1000;

/** Tables, plots and goals from the rounds' measurements. */
export function churnReport(plan: readonly Step[], sequences: readonly (readonly Measured[])[]): Report {
  const rows: Readonly<Record<Mode, Row[]>> = {
    keepalive: inPlanOrder(plan, churnRows(sequences, 'keepalive')),
    short: inPlanOrder(plan, churnRows(sequences, 'short')),
  };
  return {
    method: methodText(sequences.flat()),
    tables: [
      ...MODES.map((mode) => latencyTable(rows[mode], mode)),
      longLivedTable(rows.keepalive),
      costTable(rows.keepalive),
    ],
    plots: plotsOf(rows.keepalive),
    goals: goalsOf(rows, sequences.flat()),
    measures: Object.fromEntries(
      MODES.flatMap((mode) =>
        rows[mode].map(({ changes, variant, p99 }) => [
          `churn ${mode} ${changes} ${variant} p99 ms`,
          p99.rounds,
        ]),
      ),
    ),
  };
}

// The rounds run in both directions; the tables in one.
function inPlanOrder(plan: readonly Step[], rows: readonly Row[]): Row[] {
  const place = ({ variant, changes }: Row): number =>
    plan.findIndex((step) => step.variant === variant && step.changes === changes);
  return [...rows].sort((a, b) => place(a) - place(b));
}

function methodText(all: readonly Measured[]): string {
  const late = pooled(all.map(({ result }) => result.late));
  const { servers, keepaliveRate, shortRate, connections, longLived } = LOAD;
  return [
    `The last of ${servers} servers is removed and added back in turn. All the while one client sends ${pretty(keepaliveRate)} requests a second over ${connections} keepalive connections and ${shortRate} a second over a new connection each, ${longLived.downloads} slow downloads run, and websockets with a heartbeat are open: ${longLived.websockets} at first, and one more each ${longLived.arrivalMs} ms.`,
    `Latency counts from the moment a request was due, so a stall is seen in full; percentiles are of all rounds pooled. The client itself was late by ${pretty(late.p50)} ms (p50) and ${pretty(late.p99)} ms (p99), which is part of every latency.`,
    'A ratio compares a measurement with the static nginx measured right before and after it: the median of all, then that of the lowest and of the highest round. That of `static` compares static with static: any ratio has at least this noise. Upsync at 10 changes a second and a static nginx take turns of a second each, eight in a round, both running all the time and warmed up: what the goal is judged by. In the turns of the static one a registry is written to as often, which nobody follows: registry and writer would be on other machines. All else runs in fresh processes, in alternating order.',
    '`reload` rewrites an include file and sends HUP; `reload-cutting` does so with `worker_shutdown_timeout 1s`; `template` follows the same registry as Upsync, renders, runs `nginx -t` and sends HUP, without waiting times of its own.',
  ].join(' ');
}

function latencyTable(rows: readonly Row[], mode: Mode): Table {
  return {
    caption: `${mode} clients, ${pretty(RATES[mode])} requests a second, open loop`,
    columns: [
      'changes',
      'variant',
      'answered/s',
      ...LATENCY_COLUMNS,
      'p99 ratio to static',
      'failed',
      'by kind',
      ...(mode === 'keepalive' ? ['connections dropped'] : []),
    ],
    rows: rows.map((row) => [
      row.changes,
      row.variant,
      pretty(row.answeredPerSecond),
      ...latencyCells(row.latency),
      showRatio(row),
      String(row.failed),
      kindsOf(row, mode),
      ...(mode === 'keepalive' ? [String(row.dropped)] : []),
    ]),
  };
}

function kindsOf({ measured }: Row, mode: Mode): string {
  const kinds = new Map<string, number>();
  for (const { result } of measured)
    for (const [kind, count] of Object.entries(result[mode].errors))
      kinds.set(kind, (kinds.get(kind) ?? 0) + count);
  return [...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ');
}

function longLivedTable(rows: readonly Row[]): Table {
  const sum = (row: Row, value: (one: Measured) => number): number =>
    row.measured.reduce((all, one) => all + value(one), 0);
  return {
    caption:
      'Long-lived connections, all rounds together. Without a shutdown timeout old workers stay until their last connection ends; with one they cut it',
    columns: [
      'changes',
      'variant',
      'websockets opened',
      'websockets cut',
      'heartbeats lost',
      'downloads opened',
      'downloads cut',
      'old workers at once',
      'old workers MiB',
    ],
    rows: rows.map((row) => [
      row.changes,
      row.variant,
      String(sum(row, ({ cut }) => cut.websocketsOpened)),
      String(sum(row, ({ cut }) => cut.websockets)),
      String(sum(row, ({ cut }) => cut.heartbeatsLost)),
      String(row.measured.length * LOAD.longLived.downloads),
      String(sum(row, ({ cut }) => cut.downloads)),
      median(row, ({ watched }) => watched.oldWorkers),
      median(row, ({ watched }) => watched.oldWorkersMiB),
    ]),
  };
}

function costTable(rows: readonly Row[]): Table {
  return {
    caption:
      'What it costs, a second of measuring; medians of the rounds. Workers that end take connections, caches and page tables with them',
    columns: [
      'changes',
      'variant',
      'changes made/s',
      'workers started/s',
      'page faults/s',
      'context switches/s',
      'CPU ms/s',
      'of it beside nginx',
      'peak RSS MiB',
    ],
    rows: rows.map((row) => [
      row.changes,
      row.variant,
      median(row, (one) => one.changesMade / one.seconds),
      ...(['workersStarted', 'minorFaults', 'contextSwitches'] as const).map((name) =>
        median(row, (one) => one.watched[name] / one.seconds),
      ),
      median(row, (one) => (one.watched.cpuSeconds / one.seconds) * MILLISECONDS),
      median(row, (one) => (one.watched.followerCpuSeconds / one.seconds) * MILLISECONDS),
      median(row, (one) => one.watched.peakRssMiB),
    ]),
  };
}

function median({ measured }: Row, value: (one: Measured) => number): string {
  return pretty(spread(measured.map(value)).median);
}

function plotsOf(rows: readonly Row[]): Plot[] {
  return [
    {
      file: 'churn-p99.svg',
      title: 'p99 latency while the list changes (keepalive clients)',
      unit: 'ms',
      logarithmic: true,
      bars: rows.map(({ changes, variant, p99 }) => ({ label: `${changes}, ${variant}`, ...p99 })),
    },
    {
      file: 'churn-dropped.svg',
      title: 'Client connections dropped by nginx (keepalive clients)',
      unit: 'connections a second',
      bars: rows.map(({ changes, variant, measured }) => ({
        label: `${changes}, ${variant}`,
        ...spread(measured.map(({ result, seconds }) => result.keepalive.dropped / seconds)),
      })),
    },
  ];
}

function goalsOf(rows: Readonly<Record<Mode, Row[]>>, all: readonly Measured[]): Goal[] {
  const ours = rows.keepalive.find(
    ({ variant, changes }) => variant === 'upsync' && changes === IN_TURNS.changing.changes,
  )!;
  const still = rows.keepalive.find(({ changes }) => changes === IN_TURNS.still.changes)!;
  const failed = MODES.flatMap((mode) => rows[mode])
    .filter(({ variant }) => variant === 'upsync')
    .reduce((sum, row) => sum + row.failed, 0);
  const cut = all.filter(({ variant }) => variant === 'upsync').map((one) => one.cut);
  const lost = cut.reduce((sum, one) => sum + one.websockets + one.downloads, 0);
  return [
    {
      text: `at ${IN_TURNS.changing.changes}, p99 at most ${P99_GOAL} × static (keepalive clients)`,
      measured: `${showRatio(ours)}; static to static ${showRatio(still)}`,
      met: ours.ratio <= P99_GOAL,
      why: whyP99(ours, still),
    },
    { text: 'no failed request because of an update', measured: `${failed} failed`, met: failed === 0 },
    { text: 'no websocket and no download cut by an update', measured: `${lost} cut`, met: lost === 0 },
  ];
}

function whyP99(ours: Row, still: Row): string {
  const perChange = (seconds: (one: Measured) => number): string =>
    median(ours, (one) => (seconds(one) / one.changesMade) * MILLISECONDS);
  const added = ours.latency.p99 - still.latency.p99;
  return [
    `p99 is ${pretty(still.latency.p99)} ms with nothing changing and ${pretty(ours.latency.p99)} ms with ${IN_TURNS.changing.changes}: ${pretty(added)} ms more, p50 ${pretty(ours.latency.p50 - still.latency.p50)} ms more.`,
    `A change costs ${perChange(({ watched }) => watched.followerCpuSeconds)} ms of CPU in the engine and supervisor and ${perChange(({ watched }) => watched.registryCpuSeconds)} ms in the registry, which share the cores with nginx, the backends and the client here.`,
    `Static against static differed by ${showRatio(still)} in the same run.`,
  ].join(' ');
}
