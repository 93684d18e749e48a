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
  [
    '2 and the place of an example when it was used wrongly',
    fail(new UpsyncError('USAGE', 'give a name')),
    2,
    'upsync: give a name\nupsync: see "upsync try --help", which ends with an example\n',
  ],
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
  [['nope'], "upsync: unknown command 'nope'\n", 'upsync --help'],
  [['help', 'nope'], "upsync: unknown command 'nope'\n", 'upsync --help'],
  [['try', '--y'], "upsync: unknown option '--y'\n(Did you mean -x?)\n", 'upsync try --help'],
  [['try', '-x'], "upsync: option '-x <n>' argument missing\n", 'upsync try --help'],
])('%j is a usage error, with the help that has an example', async (words, said, help) => {
  const at = context();
  expect(
    await runProgram(
      words,
      at,
      command(() => undefined),
    ),
  ).toBe(2);
  expect(at.err.split('\n')[0]).toBe(said.split('\n')[0]);
  expect(at.err).toContain(`see "${help}", which ends with an example\n`);
});

it.each([
  ['registry', '--listen', 'foo'],
  ['resolve', 'rs.a', '--idc', 'a'],
  ['resolve', 'rs.a.6379', '--consul', 'nope'],
  ['dns', '--listen', 'x', '--idc', 'a'],
  ['dns', '--suffix', '..', '--idc', 'a'],
  ['dns', '--forward', 'x', '--idc', 'a'],
  ['register', 'rs', '--port', '80', '--ttl', 'soon'],
  ['register', 'rs', '--port', '80', '--weight', '0'],
  ['register', 'motan2://x'],
  ['command', 'set', 'rs.a', 'file', '--consul', 'nope'],
])('a value that cannot be is a mistake of the command line: upsync %s %s %s', async (...words) => {
  const at = context();
  expect(await runProgram(words, at)).toBe(2);
  expect(at.err).toMatch(/^upsync: /);
  expect(at.err).toContain(`see "upsync ${words[0]} --help"`);
});

it.each([
  ...COMMANDS.map(({ name }) => [name]),
  ...['show', 'preview', 'set', 'clear'].map((name) => ['command', name]),
])('upsync %s --help ends with an example', async (...words) => {
  const at = context();
  expect(await runProgram([...words, '--help'], at)).toBe(0);
  expect(at.out.trim().split('\n').at(-1)).toMatch(new RegExp(`^Example: upsync ${words.join(' ')}`));
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
