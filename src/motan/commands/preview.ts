import type { RejectedEntry } from '../../upstream/errors.ts';
import { parseCommands } from './command.ts';
import { type CommandInput, evaluateCommands } from './evaluate.ts';

export interface PreviewInput<T> extends Omit<CommandInput, 'commands'> {
  /** The command text that is about to be written. */
  readonly command: string;
  readonly localIp: string;
  readonly serversOf: (group: string) => readonly T[];
  readonly parity?: 'safe' | 'motan';
}

/** What a command would do to one consumer. */
export interface CommandPreview<T> {
  readonly mode: 'own' | 'mix' | 'weighted';
  /** Place of the command that would be used, and its remark; undefined when none matches. */
  readonly used: { readonly where: string; readonly remark: string | undefined } | undefined;
  readonly groups: readonly {
    readonly group: string;
    readonly weight: number | undefined;
    /** Part of the traffic, 0..1. A weighted group without servers passes its part on to the others. */
    readonly share: number;
    readonly servers: readonly T[];
    /** Excluded by route rules. */
    readonly dropped: readonly T[];
  }[];
  /** Why parts of the command would have no effect. */
  readonly problems: readonly RejectedEntry[];
}

/** Shows what a command would do, before it is written: groups, weights, shares, servers kept and dropped. Pure. */
export function previewCommand<T extends { readonly host: string; readonly weight?: number }>(
  input: PreviewInput<T>,
): CommandPreview<T> {
  const evaluation = evaluateCommands({ ...input, commands: parseCommands(input.command) });
  const of = (list: readonly { group: string; server: T }[], group: string): T[] =>
    list.filter((one) => one.group === group).map((one) => one.server);
  const groups = evaluation.groups.map(({ group, weight }) => {
    const servers = of(evaluation.servers, group);
    const ownWeight = servers.reduce((sum, server) => sum + (server.weight ?? 1), 0);
    const load = ownWeight === 0 ? 0 : evaluation.mode === 'weighted' ? (weight ?? 1) : ownWeight;
    return {
      group: group === '' ? input.group : group,
      weight,
      load,
      servers,
      dropped: of(evaluation.dropped, group),
    };
  });
  const sum = groups.reduce((total, { load }) => total + load, 0);
  const problems = [...evaluation.problems];
  for (const { group, servers } of groups)
    if (servers.length === 0)
      problems.push({
        where: group,
        code: 'EMPTY_GROUP',
        reason: `group ${group} has no usable server; its part goes to the others`,
      });
  const { command } = evaluation;
  return {
    mode: evaluation.mode,
    used: command === undefined ? undefined : { where: command.where, remark: command.remark },
    groups: groups.map(({ load, ...group }) => ({ ...group, share: sum === 0 ? 0 : load / sum })),
    problems,
  };
}
