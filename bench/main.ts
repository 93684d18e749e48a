import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { estimate, remaining } from './progress.ts';
import { parseRun, renderComparison } from './report/compare.ts';
import { renderResults, type Run } from './report/markdown.ts';
import { drawPlot } from './report/svg.ts';
import { stopAll } from './rig/child.ts';
import { watchMachine } from './rig/machine-load.ts';
import { readMachine } from './rig/machine.ts';
import { SCENARIOS } from './scenarios/all.ts';
import type { Context, Scenario, ScenarioReport } from './scenario.ts';

const HELP = `npm run bench [-- NAME … [options]]

Measures this machine. Without names every scenario runs, about ${Math.round(SCENARIOS.reduce((sum, { minutes }) => sum + minutes, 0))} minutes on two cores.

${SCENARIOS.map(({ name, title, minutes }) => `  ${name.padEnd(12)} ${title} (${minutes} min)`).join('\n')}

Options:
  --rounds N            rounds per measurement, each with fresh processes (default 3)
  --quick               a fifth of the time, for trying it out; the results page says so
  --compare OLD.json    print what moved beyond noise against an earlier run
  --upsync-nginx PATH   an nginx with nginx-upsync-module compiled in, as another rival
  --out DIR             where RESULTS.md, plots/ and results.json go (default bench)
`;

const QUICK = 0.2;
const FAILED = 2;
const INTERRUPTED = 130;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '3' },
      quick: { type: 'boolean', default: false },
      compare: { type: 'string' },
      'upsync-nginx': { type: 'string' },
      out: { type: 'string', default: 'bench' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50)
    throw new Error('--rounds takes a whole number from 1 to 50');
  const before =
    values.compare === undefined
      ? undefined
      : parseRun(values.compare, await readFile(values.compare, 'utf8'));
  const chosen = choose(positionals);
  const context = {
    rounds,
    scale: values.quick ? QUICK : 1,
    ...(values['upsync-nginx'] !== undefined && { upsyncNginx: values['upsync-nginx'] }),
  };
  const run = await measure(chosen, context);
  await write(run, values.out, positionals.length === 0);
  if (before !== undefined) process.stdout.write(renderComparison(before, run));
  for (const { text, measured, met } of run.reports.flatMap((report) => report.goals)) {
    process.stdout.write(`${met ? 'met   ' : 'MISSED'}  ${text}: ${measured}\n`);
  }
  return 0;
}

function choose(names: readonly string[]): readonly Scenario[] {
  const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0)
    throw new Error(
      `no scenario is called ${unknown.join(', ')}; there are ${SCENARIOS.map(({ name }) => name).join(', ')}`,
    );
  return names.length === 0 ? SCENARIOS : SCENARIOS.filter(({ name }) => names.includes(name));
}

async function measure(chosen: readonly Scenario[], context: Omit<Context, 'step'>): Promise<Run> {
  const load = await watchMachine();
  const begun = performance.now();
  const reports: ScenarioReport[] = [];
  const estimates = chosen.map((scenario) => estimate(scenario, context));
  for (const [at, scenario] of chosen.entries()) {
    const here = performance.now();
    const step = (text: string): void => {
      const now = performance.now();
      const [spent, spentHere] = [(now - begun) / 60_000, (now - here) / 60_000];
      const left = remaining({ estimates, at, spent, spentHere });
      process.stderr.write(
        `[${spent.toFixed(1)} min, about ${left.toFixed(1)} min left] ${scenario.name}: ${text}\n`,
      );
    };
    reports.push(await scenario.run({ ...context, step }));
  }
  const minutes = (performance.now() - begun) / 60_000;
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: readMachine(),
    load: load(),
    rounds: context.rounds,
    scale: context.scale,
    minutes,
    reports,
  };
}

// A run of some scenarios must not replace the page that shows all of them.
async function write(run: Run, folder: string, whole: boolean): Promise<void> {
  const target = whole ? folder : path.join(folder, 'raw', run.reports.map(({ name }) => name).join('-'));
  await mkdir(path.join(target, 'plots'), { recursive: true });
  for (const plot of run.reports.flatMap(({ plots }) => plots))
    await writeFile(path.join(target, 'plots', plot.file), drawPlot(plot));
  await writeFile(path.join(target, 'RESULTS.md'), renderResults(run));
  await writeFile(path.join(target, 'results.json'), `${JSON.stringify(run, null, 1)}\n`);
  process.stdout.write(`written: ${target}/RESULTS.md, ${target}/results.json, ${target}/plots/\n`);
}

async function end(code: number): Promise<void> {
  await stopAll();
  process.exit(code);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end(INTERRUPTED));
main().then(end, (error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  return end(FAILED);
});
