import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectSameAsMotan } from '../../helpers/motan-answers.ts';
import { handMadeCases, randomCases } from '../../helpers/motan-cases.ts';
import { askMotan, buildJavaPeer, hasJavaAndMaven } from '../../helpers/motan-java.ts';

const GOLDEN = fileURLToPath(new URL('./motan-answers.json', import.meta.url));

// Without Java the recorded answers (motan-parity.test.ts) stand alone.
if (hasJavaAndMaven())
  describe("Motan's own classes, run now", () => {
    let classPath: string;
    beforeAll(async () => {
      classPath = await buildJavaPeer();
    });

    it('still give the recorded answers', async () => {
      const cases = [...handMadeCases(), ...randomCases(300, 1)];
      const recorded = JSON.parse(readFileSync(GOLDEN, 'utf8')) as unknown;
      expect(await askMotan(classPath, cases)).toEqual(recorded);
    });

    it('agree with ours on thousands of cases made by chance', async () => {
      const cases = randomCases(4000, Date.now());
      const answers = await askMotan(classPath, cases);
      cases.forEach((one, at) => expectSameAsMotan(one, answers[at]!));
    });
  });
else
  describe("Motan's own classes", () => {
    it('cannot be run on this machine', () => {
      expect(hasJavaAndMaven()).toBe(false);
    });
  });
