import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EmbeddedRegistry } from '../../../src/discovery/embedded/registry.ts';
import { parseCommands } from '../../../src/motan/commands/command.ts';
import { clearCommand, readCommand, writeCommand } from '../../../src/motan/commands/command-store.ts';
import { evaluateCommands } from '../../../src/motan/commands/evaluate.ts';
import { compilePattern } from '../../../src/motan/commands/pattern.ts';
import { previewCommand } from '../../../src/motan/commands/preview.ts';
import { consulSources } from '../../../src/motan/consul-sources.ts';
import { startEmbeddedRegistry } from '../../helpers/embedded-registry.ts';

const text = (...commands: object[]): string => JSON.stringify({ clientCommandList: commands });
const SERVERS: Record<string, { host: string; weight?: number }[]> = {
  'rs.a': [{ host: '10.1.0.1' }, { host: '10.1.0.2' }],
  'rs.b': [{ host: '10.2.0.1', weight: 6 }],
};
const base = {
  path: 'com.x.Y',
  group: 'rs.a',
  localIp: '10.1.0.9',
  serversOf: (group: string) => SERVERS[group] ?? [],
};

describe('parseCommands', () => {
  it.each([
    ['{"a"', 'command', 'not JSON'],
    ['[1]', 'command', 'not a list'],
    ['{"clientCommandList":5}', 'command', 'not a list'],
    [text(null as unknown as object), 'clientCommandList[0]', 'not an object'],
    [text({ index: 'x' }), 'clientCommandList[0].index', '32-bit'],
    [text({ commandType: 'x' }), 'clientCommandList[0].commandType', '32-bit'],
    [text({ mergeGroups: ['a', null] }), 'clientCommandList[0].mergeGroups[1]', 'not text'],
    [text({ mergeGroups: { 'rs.b': 3 } }), 'clientCommandList[0].mergeGroups[0]', 'not text'],
  ])('reports what is wrong in %s', (command, where, reason) => {
    const [problem] = parseCommands(command).problems;
    expect(problem).toMatchObject({ where, code: 'BAD_COMMAND' });
    expect(problem!.reason).toContain(reason);
  });

  it('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((value) => `{"clientCommandList":[${value}]}`),
        ),
        (any) => {
          const commands = parseCommands(any);
          evaluateCommands({ ...base, commands });
        },
      ),
    );
  });

  it('is not slowed down by text made for that', () => {
    for (const part of ['/**/', '/*', '//', '[', '{"a":', "'", '\\'])
      expect(parseCommands(`${part.repeat(20_000)}§`).problems).toHaveLength(1);
  });

  it('sorts by index, absent first, otherwise as listed', () => {
    const list = [{ index: 2 }, { remark: 'x' }, { index: -1 }, { index: 2, remark: 'y' }, { remark: 'z' }];
    expect(parseCommands(text(...list)).commands.map(({ where }) => where)).toEqual(
      [1, 4, 2, 0, 3].map((at) => `clientCommandList[${at}]`),
    );
  });
});

describe('compilePattern', () => {
  it('survives deep nesting with a named error', () => {
    expect(() => compilePattern('('.repeat(5000))).toThrow('nested more than');
    expect(compilePattern(`${'('.repeat(100)}a${')'.repeat(100)}`)('a')).toBe(true);
  });

  it('agrees with a truth table', () => {
    const term = fc.constantFrom('a', 'b', '!a', '!b', '(a|b)', '!(a&b)');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(term, fc.constantFrom('&', '|')), { minLength: 1, maxLength: 6 }),
        (parts) => {
          const expression = parts.map(([one, operator], at) => (at === 0 ? one : operator + one)).join('');
          for (const path of ['a', 'b', 'c']) {
            const value = (one: string): boolean => compilePattern(one)(path);
            const ors = expression.split(/\|(?![^(]*\))/).map((or) => or.split(/&(?![^(]*\))/).every(value));
            expect(compilePattern(expression)(path)).toBe(ors.some(Boolean));
          }
        },
      ),
    );
  });
});

describe('evaluateCommands', () => {
  it('passes over a command that breaks Motan, and uses the next', () => {
    const commands = parseCommands(
      text(
        { pattern: 'a||b', mergeGroups: ['x'] },
        { pattern: '*', mergeGroups: [':'] },
        { pattern: '*', mergeGroups: ['rs.b'] },
      ),
    );
    const result = evaluateCommands({ ...base, commands });
    expect(result.servers.map(({ server }) => server.host)).toEqual(['10.2.0.1']);
    expect(result.problems.map(({ code, where }) => [code, where])).toEqual([
      ['BAD_PATTERN', 'clientCommandList[0].pattern'],
      ['BAD_MERGE_GROUP', 'clientCommandList[1].mergeGroups[0]'],
    ]);
  });

  it('passes over a command of which nobody can say what it does or when, and uses the next', () => {
    const next = { pattern: '*', mergeGroups: ['rs.b'] };
    for (const odd of [
      { index: 'first' },
      { index: [1] },
      { commandType: 'on' },
      { mergeGroups: { 'rs.a': 1 } },
    ]) {
      const commands = parseCommands(text({ pattern: '*', mergeGroups: ['rs.a'], ...odd }, next));
      const result = evaluateCommands({ ...base, commands });
      expect(result.servers.map(({ server }) => server.host)).toEqual(['10.2.0.1']);
      expect(result.problems).toHaveLength(1);
    }
  });

  it('ignores route rules that leave nobody, unless it shall be exactly Motan', () => {
    const commands = parseCommands(text({ pattern: '*', routeRules: ['* to 1.1.1.1'] }));
    expect(evaluateCommands({ ...base, commands }).servers).toHaveLength(2);
    expect(evaluateCommands({ ...base, commands }).problems[0]!.code).toBe('ROUTE_RULES_EMPTY');
    expect(evaluateCommands({ ...base, commands, parity: 'motan' }).servers).toHaveLength(0);
  });
});

describe('previewCommand', () => {
  it('shows groups, weights, shares, and servers kept and dropped', () => {
    const command = text({
      pattern: '*',
      mergeGroups: ['rs.a:1', 'rs.b:3'],
      routeRules: ['10.1.* to !10.1.0.2'],
      remark: 'drill',
    });
    expect(previewCommand({ ...base, command })).toEqual({
      mode: 'weighted',
      used: { where: 'clientCommandList[0]', remark: 'drill' },
      groups: [
        {
          group: 'rs.a',
          weight: 1,
          share: 0.25,
          servers: [{ host: '10.1.0.1' }],
          dropped: [{ host: '10.1.0.2' }],
        },
        { group: 'rs.b', weight: 3, share: 0.75, servers: [{ host: '10.2.0.1', weight: 6 }], dropped: [] },
      ],
      problems: [],
    });
  });

  it('shares by the weights of the servers in mix mode', () => {
    const command = text({ pattern: '*', mergeGroups: ['rs.a', 'rs.b'] });
    expect(previewCommand({ ...base, command }).groups.map(({ share }) => share)).toEqual([0.25, 0.75]);
  });

  it('says that an empty group gives its part away', () => {
    const { groups, problems } = previewCommand({
      ...base,
      command: text({ pattern: '*', mergeGroups: ['rs.a:1', 'gone:9'] }),
    });
    expect(groups.map(({ share }) => share)).toEqual([1, 0]);
    expect(problems).toMatchObject([{ where: 'gone', code: 'EMPTY_GROUP' }]);
  });

  it('says that nothing matches', () => {
    expect(previewCommand({ ...base, command: text({ pattern: 'no' }) })).toMatchObject({
      mode: 'own',
      used: undefined,
    });
  });
});

describe('commands in Consul', () => {
  const { signal } = new AbortController();
  let registry: EmbeddedRegistry;
  beforeEach(async () => {
    registry = await startEmbeddedRegistry();
  });
  afterEach(() => registry.close());

  it('are written, read, changed only over what was read, and cleared', async () => {
    const http = consulSources({ addresses: [registry.url] }).http();
    expect(await readCommand(http, 'rs.a', signal)).toBeUndefined();
    const command = text({ pattern: '*', mergeGroups: ['rs.b'] });
    await writeCommand(http, 'rs.a', command, { signal, index: 0 });
    const stored = await readCommand(http, 'rs.a', signal);
    expect(stored!.text).toBe(command);
    await expect(writeCommand(http, 'rs.a', command, { signal, index: 0 })).rejects.toMatchObject({
      code: 'COMMAND_CHANGED',
    });
    await writeCommand(http, 'rs.a', command, { signal, index: stored!.index });
    await clearCommand(http, 'rs.a', signal);
    expect((await readCommand(http, 'rs.a', signal))!.text).toBe('');
  });

  it('are refused when they have a problem', async () => {
    const http = consulSources({ addresses: [registry.url] }).http();
    await expect(writeCommand(http, 'rs.a', '{', { signal })).rejects.toMatchObject({ code: 'BAD_COMMAND' });
    await expect(writeCommand(http, 'rs.a', '{}', { signal })).rejects.toThrow('no client command');
    for (const [odd, where] of [
      [{ pattern: 'a||b' }, 'pattern'],
      [{ pattern: '(|a)' }, 'pattern'],
      [{ pattern: '*', mergeGroups: [':'] }, 'mergeGroups[0]'],
      [{ pattern: '*', routeRules: ['10.* 10.1.*'] }, 'routeRules[0]'],
    ] as const)
      await expect(
        writeCommand(http, 'rs.a', text({ pattern: '*', mergeGroups: ['rs.b'] }, odd), { signal }),
      ).rejects.toThrow(`clientCommandList[1].${where}`);
    expect(await readCommand(http, 'rs.a', signal)).toBeUndefined();
  });
});
