import { expect } from 'vitest';
import { parseCommands } from '../../src/motan/commands/command.ts';
import { evaluateCommands } from '../../src/motan/commands/evaluate.ts';
import { compilePattern } from '../../src/motan/commands/pattern.ts';
import type { CommandCase, PatternCase } from './motan-cases.ts';
import type { MotanAnswer } from './motan-java.ts';

/** Holds our answer against Motan's. Where Motan crashes, ours must report the problem instead. */
export function expectSameAsMotan(one: PatternCase | CommandCase, theirs: MotanAnswer): void {
  const label = JSON.stringify(one);
  if ('expression' in one) {
    if (theirs.error !== undefined)
      expect(() => compilePattern(one.expression)(one.path), label).toThrow('cannot be read');
    else expect(compilePattern(one.expression)(one.path), label).toBe(theirs.match);
    return;
  }
  const ours = evaluateCommands({
    ...one,
    commands: parseCommands(one.command),
    serversOf: (group) =>
      (one.nodes[group] ?? []).map((address) => ({
        host: address.split(':')[0]!,
        text: `${group} ${address}`,
      })),
    parity: 'motan',
  });
  if (theirs.error !== undefined) {
    expect(ours.problems.length, label).toBeGreaterThan(0);
    return;
  }
  expect(ours.servers.map(({ server }) => server.text).sort(), label).toEqual(theirs.servers);
  expect(ours.weights && Object.fromEntries(ours.weights), label).toEqual(theirs.weights);
}
