import { describe, expect, it } from 'vitest';
import { renderResults, type Run } from '../../../bench/report/markdown.ts';
import type { Goal } from '../../../bench/scenario.ts';

const page = (...goals: Goal[]): string => pageOf({}, goals);

const pageOf = (more: Partial<Run>, goals: Goal[] = []): string => {
  const run: Run = {
    date: '2026-01-01',
    machine: { cpu: 'any', cores: 2, memoryGiB: 4, kernel: '6', versions: { nginx: '1.22.1' } },
    rounds: 3,
    scale: 1,
    minutes: 1,
    reports: [
      {
        name: 'steady',
        title: 'Steady',
        method: 'How.',
        tables: [{ caption: 'Rates', columns: ['a', 'b'], rows: [['x|y', '1']] }],
        plots: [{ file: 'steady.svg', title: 'Rates', unit: 's', bars: [] }],
        goals,
        measures: {},
      },
    ],
    ...more,
  };
  return renderResults(run);
};

describe('the results page', () => {
  it('says of a missed goal why, and shows what shows it', () => {
    const text = page({
      text: 'fast',
      measured: '2 ms',
      met: false,
      why: 'It is slow.',
      profile: { caption: 'Where it goes', columns: ['part', 'ms'], rows: [['all', '2']] },
    });
    expect(text).toContain('| fast | 2 ms | **no** |');
    expect(text).toContain(
      '### Missed, and why\n\n**fast: 2 ms.** It is slow.\n\nWhere it goes:\n\n| part | ms |',
    );
  });

  it('admits that a missed goal is not explained', () => {
    expect(page({ text: 'fast', measured: '2 ms', met: false })).toContain('Not explained yet.');
  });

  it('keeps silent about the reasons of a goal that is met', () => {
    const text = page({ text: 'fast', measured: '1 ms', met: true, why: 'It is slow.' });
    expect(text).toContain('| fast | 1 ms | yes |');
    expect(text).not.toContain('It is slow.');
    expect(text).not.toContain('Missed');
  });

  it.each([
    ['a quiet machine', 2, '- something else used 2 % of the machine before the run; 0.5 % was stolen'],
    ['a busy one', 40, '40 % of the machine before the run: **too much for p99 to mean anything'],
  ])('says of %s what else it did', (_, busyBefore, expected) => {
    expect(pageOf({ load: { busyBefore, stolen: 0.5 } })).toContain(expected);
  });

  it('shows a run of before the machine was looked at', () => {
    expect(page()).not.toContain('something else');
  });

  it('shows each scenario with its plots and tables, bars in cells escaped', () => {
    const text = page();
    expect(text).toContain('## Steady\n\nHow.\n\n![Rates](plots/steady.svg)\n\nRates:\n\n| a | b |');
    expect(text).toContain('| x\\|y | 1 |');
  });
});
