import { expect, it } from 'vitest';
import { formatFindings } from '../../../src/sidecar/check/finding.ts';

it('prints one line per finding, with its remedy below it', () => {
  const text = formatFindings([
    { verdict: 'good', what: 'nginx', detail: 'nginx/1.22.1' },
    { verdict: 'warning', what: 'Lua module', detail: 'one\ntwo' },
    { verdict: 'bad', what: 'x', detail: 'broken', remedy: 'mend it' },
  ]);
  expect(text).toBe(
    [
      '✔ nginx       nginx/1.22.1',
      '! Lua module  one',
      '              two',
      '✘ x           broken',
      '              → mend it',
      '',
    ].join('\n'),
  );
});

it('does not let one long name push the table aside', () => {
  const name = `upstream ${'x'.repeat(60)}`;
  const text = formatFindings([
    { verdict: 'good', what: 'nginx', detail: 'nginx/1.22.1' },
    { verdict: 'good', what: name, detail: 'fine' },
  ]);
  expect(text).toBe(`✔ ${'nginx'.padEnd(32)}  nginx/1.22.1\n✔ ${name}  fine\n`);
});
