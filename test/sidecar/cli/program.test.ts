import { Command } from 'commander';
import { expect, it } from 'vitest';
import type { CliContext, CommandEntry } from '../../../src/sidecar/cli/command.ts';
import { COMMANDS } from '../../../src/sidecar/cli/commands.ts';
import { runProgram } from '../../../src/sidecar/cli/program.ts';
import { UpsyncError } from '../../../src/upstream/errors.ts';

function context(): CliContext & { out: string; err: string } {
  const self = {
    out: '',
    err: '',
    env: {},
    signal: new AbortController().signal,
    exitCode: 0,
    stdout: (text: string) => void (self.out += text),
    stderr: (text: string) => void (self.err += text),
  };
  return self;
}

const command = (action: (at: CliContext) => void): readonly CommandEntry[] => [
  {
    name: 'try',
    summary: 'tries',
    load: async () => (at) => new Command('try').option('-x <n>', 'a number').action(() => action(at)),
  },
];

it.each([
  ['what it set', (at: CliContext) => void (at.exitCode = 1), 1, ''],
  ['0 when it set nothing', () => undefined, 0, ''],
  [
    '1 and a sentence when it failed',
    fail(new UpsyncError('X', 'no such thing')),
    1,
    'upsync: no such thing\n',
  ],
  ['2 when it was used wrongly', fail(new UpsyncError('USAGE', 'give a name')), 2, 'upsync: give a name\n'],
  [
    '1 and the address for a port in use',
    fail(
      Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE', address: '127.0.0.1', port: 80 }),
    ),
    1,
    'upsync: 127.0.0.1:80 is in use by another process: choose another address or end that process\n',
  ],
])('a command ends with %s', async (_what, action, code, said) => {
  const at = context();
  expect(await runProgram(['try'], at, command(action))).toBe(code);
  expect(at.err).toBe(said);
});

it.each([
  [['nope'], "upsync: unknown command 'nope'\n"],
  [['try', '--y'], "upsync: unknown option '--y'\n(Did you mean -x?)\n"],
  [['try', '-x'], "upsync: option '-x <n>' argument missing\n"],
])('%j is a usage error', async (words, said) => {
  const at = context();
  expect(
    await runProgram(
      words,
      at,
      command(() => undefined),
    ),
  ).toBe(2);
  expect(at.err.split('\n')[0]).toBe(said.split('\n')[0]);
});

it('lists every command, each with a summary, and loads only the one that is asked for', async () => {
  const at = context();
  expect(
    await runProgram(
      ['--help'],
      at,
      COMMANDS.map((entry) => ({ ...entry, load: () => Promise.reject(new Error('loaded')) })),
    ),
  ).toBe(0);
  for (const { name, summary } of COMMANDS)
    expect(at.out).toMatch(new RegExp(`${name}.*${summary.slice(0, 20)}`));
  expect(new Set(COMMANDS.map(({ name }) => name)).size).toBe(COMMANDS.length);
});

function fail(error: Error): () => void {
  return () => {
    throw error;
  };
}
