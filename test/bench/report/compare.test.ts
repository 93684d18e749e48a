import { describe, expect, it } from 'vitest';
import { compareRuns, parseRun, renderComparison } from '../../../bench/report/compare.ts';
import type { Run } from '../../../bench/report/markdown.ts';

const run = (measures: Record<string, number[]>, more: Partial<Run> = {}, revision?: number): Run => ({
  date: '2026-01-01',
  machine: { cpu: 'any', cores: 2, memoryGiB: 4, kernel: '6', versions: {} },
  rounds: 3,
  scale: 1,
  minutes: 1,
  reports: [
    {
      name: 'steady',
      title: 'Steady',
      ...(revision !== undefined && { revision }),
      method: '',
      tables: [],
      plots: [],
      goals: [],
      measures,
    },
  ],
  ...more,
});

describe('comparing runs', () => {
  it.each([
    ['rounds that overlap', [100, 120, 110], [115, 130, 140], false],
    ['rounds apart by less than a tenth', [100, 101, 102], [105, 106, 107], false],
    ['rounds apart by more', [100, 101, 102], [130, 131, 132], true],
  ])('takes %s for what they are', (_, before, after, moved) => {
    expect(compareRuns(run({ rate: before }), run({ rate: after }))).toMatchObject([{ name: 'rate', moved }]);
  });

  it('says what moved and by how much', () => {
    const text = renderComparison(
      run({ rate: [100, 100], p99: [1, 1] }),
      run({ rate: [150, 150], p99: [1, 1] }),
    );
    expect(text).toBe('rate: 100 -> 150 (+50 %)\n1 of 2 measures moved beyond noise\n');
  });

  it('says that nothing did', () => {
    expect(renderComparison(run({ rate: [1, 2] }), run({ rate: [1, 2] }))).toBe(
      'nothing moved beyond noise (1 measures compared)\n',
    );
  });

  it('leaves out what is measured in another way since, and says so', () => {
    const [before, after] = [run({ rate: [100] }), run({ rate: [200] }, {}, 2)];
    expect(compareRuns(before, after)).toEqual([]);
    expect(renderComparison(before, after)).toContain('steady: measured in another way in the earlier run');
  });

  it('says which scenario the earlier run does not have', () => {
    expect(renderComparison(run({}, { reports: [] }), run({ rate: [1] }))).toContain(
      'steady: not in the earlier run',
    );
  });

  it.each([
    ['one of them was shortened', { scale: 0.2 }, 'shortened'],
    ['one has a single round', { rounds: 1 }, 'one round does not show its noise'],
  ])('says when %s', (_, more, expected) => {
    expect(renderComparison(run({ rate: [1, 1] }, more), run({ rate: [1, 1] }))).toContain(expected);
  });

  it('reads what a run wrote', () => {
    const written = run({ rate: [1] });
    expect(parseRun('old.json', JSON.stringify(written))).toEqual(written);
  });

  it.each([
    ['no JSON', '# Results'],
    ['nothing', 'null'],
    ['no reports', '{}'],
    ['reports without measures', '{"reports":[{"name":"steady"}]}'],
  ])('refuses a file with %s in one sentence', (_, text) => {
    expect(() => parseRun('old.json', text)).toThrow('--compare takes a results.json of an earlier run');
  });
});
