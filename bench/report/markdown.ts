import type { MachineLoad } from '../rig/machine-load.ts';
import type { Machine } from '../rig/machine.ts';
import type { Goal, ScenarioReport, Table } from '../scenario.ts';

/** Percent of the machine that something else may use. */
const BUSY = 10;

/** Everything one run measured; kept as JSON. */
export interface Run {
  readonly date: string;
  readonly machine: Machine;
  /** Absent in runs of before it was looked at. */
  readonly load?: MachineLoad;
  readonly rounds: number;
  readonly scale: number;
  readonly minutes: number;
  readonly reports: readonly ScenarioReport[];
}

/** The page bench/RESULTS.md; nothing in it is typed by hand. */
export function renderResults(run: Run): string {
  const { machine } = run;
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const goals = run.reports.flatMap((report) => report.goals);
  return [
    '# Results',
    '',
    'Written by `npm run bench`; do not edit. Compare ratios, not absolute numbers: they are measured side by side in one run.',
    '',
    `- ${run.date}, ${run.minutes.toFixed(1)} minutes, ${run.rounds} rounds${run.scale === 1 ? '' : ` (shortened to ${run.scale})`}`,
    `- ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Linux ${machine.kernel}`,
    `- ${versions.join(', ')}`,
    ...loadLine(run),
    '',
    '## Goals',
    '',
    ...table({
      caption: '',
      columns: ['goal', 'measured', 'met'],
      rows: goals.map(({ text, measured, met }) => [text, measured, met ? 'yes' : '**no**']),
    }),
    '',
    ...missed(goals),
    ...run.reports.flatMap(section),
  ].join('\n');
}

function loadLine({ load }: Run): string[] {
  if (load === undefined) return [];
  const { busyBefore, stolen } = load;
  const warning =
    busyBefore > BUSY ? ': **too much for p99 to mean anything; repeat it on a quiet machine**' : '';
  return [
    `- something else used ${busyBefore.toFixed(0)} % of the machine before the run${warning}; ${stolen.toFixed(1)} % was stolen by its host during it`,
  ];
}

function missed(goals: readonly Goal[]): string[] {
  const explained = goals.filter(({ met }) => !met);
  if (explained.length === 0) return [];
  return [
    '### Missed, and why',
    '',
    ...explained.flatMap(({ text, measured, why, profile }) => [
      `**${text}: ${measured}.** ${why ?? 'Not explained yet.'}`,
      '',
      ...(profile === undefined ? [] : [`${profile.caption}:`, '', ...table(profile), '']),
    ]),
  ];
}

function section(report: ScenarioReport): string[] {
  return [
    `## ${report.title}`,
    '',
    report.method,
    '',
    ...report.plots.flatMap(({ file, title }) => [`![${title}](plots/${file})`, '']),
    ...report.tables.flatMap((one) => [`${one.caption}:`, '', ...table(one), '']),
  ];
}

function table({ columns, rows }: Table): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)];
}
