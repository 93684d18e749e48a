import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { expectSameAsMotan } from '../../helpers/motan-answers.ts';
import { handMadeCases, randomCases } from '../../helpers/motan-cases.ts';
import type { MotanAnswer } from '../../helpers/motan-java.ts';

const answers = JSON.parse(
  readFileSync(new URL('./motan-answers.json', import.meta.url), 'utf8'),
) as MotanAnswer[];
const cases = [...handMadeCases(), ...randomCases(300, 1)];

describe("Motan 1.2.6's recorded answers", () => {
  it('cover every case', () => {
    expect(answers).toHaveLength(cases.length);
  });

  it.each(
    cases.map(
      (one, at) =>
        [JSON.stringify('expression' in one ? one : { ...one, nodes: undefined }), one, at] as const,
    ),
  )('are ours too for %s', (_, one, at) => {
    expectSameAsMotan(one, answers[at]!);
  });
});
