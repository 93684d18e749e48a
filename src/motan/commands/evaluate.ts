import { errorText, type RejectedEntry } from '../../upstream/errors.ts';
import type { ClientCommand, CommandList } from './command.ts';
import { compilePattern } from './pattern.ts';
import { parseRouteRule, type RouteRule } from './route-rule.ts';

/** Who asks, and by which commands. */
export interface CommandInput {
  /** Interface path of the consumer. */
  readonly path: string;
  /** The consumer's own group. */
  readonly group: string;
  readonly commands: CommandList;
  /** Motan's `mixGroups` parameter: groups merged with the own one when no command says otherwise, comma-separated. */
  readonly mixGroups?: string | undefined;
}

/** One group whose servers are used. */
export interface PlannedGroup {
  readonly group: string;
  /** 1..100, in weighted mode only. */
  readonly weight: number | undefined;
}

/** Which groups a consumer uses, and how. */
export interface GroupPlan {
  /** `own`: nothing but the own group; `mix`: the groups form one pool; `weighted`: each gets its weight's part. */
  readonly mode: 'own' | 'mix' | 'weighted';
  /** Names unique, as listed; '' stands for the own group, as in Motan. */
  readonly groups: readonly PlannedGroup[];
  /** The one command that is used; undefined for `mixGroups` and for none. */
  readonly command: ClientCommand | undefined;
  readonly routeRules: readonly RouteRule[];
  readonly problems: readonly RejectedEntry[];
}

export interface EvaluateInput<T> extends CommandInput {
  /** Address the route rules look at. */
  readonly localIp: string;
  /** The servers of a group, now. */
  readonly serversOf: (group: string) => readonly T[];
  /** `motan` lets route rules leave no server at all, as Motan does; else they are then ignored. @default 'safe' */
  readonly parity?: 'safe' | 'motan';
}

/** What a consumer gets. */
export interface Evaluation<T> extends GroupPlan {
  /** Group → weight as handed to Motan's balancer; undefined unless several groups are weighted. */
  readonly weights: ReadonlyMap<string, number> | undefined;
  readonly servers: readonly { readonly group: string; readonly server: T }[];
  /** Servers of the groups that the route rules exclude. */
  readonly dropped: readonly { readonly group: string; readonly server: T }[];
}

const DEFAULT_WEIGHT = 1;
const MAX_GROUP_WEIGHT = 100;

/**
 * Finds the one command that applies and what it asks for: the first of type 0 whose pattern covers the path; else `mixGroups`;
 * else the own group. A pattern or an entry that breaks Motan is passed over and reported.
 * Source: Motan 1.2.6 `CommandServiceManager`, by running it.
 */
export function planGroups({ path, group, commands, mixGroups }: CommandInput): GroupPlan {
  const problems: RejectedEntry[] = [...commands.problems];
  for (const command of commands.commands) {
    if (command.commandType !== 0 || !covers(command, path, problems)) continue;
    const groups = mergedGroups(command, problems);
    if (groups.length === 0 && command.mergeGroups.length > 0) continue;
    return {
      mode: groups.length === 0 ? 'own' : modeOf(groups),
      groups: groups.length === 0 ? [{ group, weight: undefined }] : groups,
      command,
      routeRules: routeRules(command, problems),
      problems,
    };
  }
  const merged = staticGroups(group, mixGroups, problems);
  return {
    mode: merged.length > 1 ? modeOf(merged) : 'own',
    groups: merged,
    command: undefined,
    routeRules: [],
    problems,
  };
}

/**
 * Everything in a group's commands that would have no effect here, and that breaks Motan's own clients: a pattern that cannot be
 * read stops them from hearing of any change. Pure.
 */
export function commandProblems({ commands, problems }: CommandList): readonly RejectedEntry[] {
  const found: RejectedEntry[] = [...problems];
  for (const command of commands.filter(({ commandType }) => commandType === 0)) {
    // Some patterns break only for a path that they do not cover, as the empty one.
    covers(command, '', found);
    mergedGroups(command, found);
    routeRules(command, found);
  }
  return found;
}

/** Applies a group's commands to the servers known now: the same servers and weights as a Motan client. Pure. */
export function evaluateCommands<T extends { readonly host: string }>(
  input: EvaluateInput<T>,
): Evaluation<T> {
  const plan = planGroups(input);
  const all = plan.groups.flatMap(({ group }) =>
    input.serversOf(group === '' ? input.group : group).map((server) => ({ group, server })),
  );
  const rules = plan.routeRules.filter((rule) => rule.from(input.localIp));
  const isKept = ({ server }: { server: T }): boolean => rules.every((rule) => rule.to(server.host));
  const kept = all.filter(isKept);
  const weights =
    plan.mode === 'weighted' && plan.groups.length > 1
      ? new Map(plan.groups.map(({ group, weight }) => [group, weight ?? DEFAULT_WEIGHT]))
      : undefined;
  if (kept.length === 0 && all.length > 0 && input.parity !== 'motan') {
    const where = `${plan.command!.where}.routeRules`;
    const reason = 'the route rules leave no server; they are ignored';
    const problems = [...plan.problems, { where, code: 'ROUTE_RULES_EMPTY', reason }];
    return { ...plan, problems, weights, servers: all, dropped: [] };
  }
  return { ...plan, weights, servers: kept, dropped: all.filter((one) => !isKept(one)) };
}

function covers(command: ClientCommand, path: string, problems: RejectedEntry[]): boolean {
  try {
    return compilePattern(command.pattern ?? '')(path);
  } catch (error) {
    problems.push({ where: `${command.where}.pattern`, code: 'BAD_PATTERN', reason: errorText(error) });
    return false;
  }
}

function mergedGroups(command: ClientCommand, problems: RejectedEntry[]): PlannedGroup[] {
  return readGroups(command.mergeGroups, (at, reason) => {
    problems.push({ where: `${command.where}.mergeGroups[${at}]`, code: 'BAD_MERGE_GROUP', reason });
  });
}

// Each entry is `group` or `group:weight`; one weight anywhere makes all of them weighted. The last of a name counts.
function readGroups(
  entries: readonly string[],
  report: (at: number, reason: string) => void,
): PlannedGroup[] {
  const weights = new Map<string, number>();
  let isWeighted = false;
  entries.forEach((entry, at) => {
    const parts = entry.split(':');
    while (parts.length > 1 && parts.at(-1) === '') parts.pop();
    if (entry !== '' && parts.length === 1 && parts[0] === '') {
      report(at, 'it holds only colons; it is passed over');
      return;
    }
    isWeighted ||= parts.length > 1;
    weights.set(parts[0]!, parts.length > 1 ? groupWeight(parts[1]!) : DEFAULT_WEIGHT);
  });
  return [...weights].map(([group, weight]) => ({ group, weight: isWeighted ? weight : undefined }));
}

function groupWeight(text: string): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  const isInt = value >= -2_147_483_648 && value <= 2_147_483_647;
  return isInt ? Math.min(MAX_GROUP_WEIGHT, Math.max(DEFAULT_WEIGHT, value)) : DEFAULT_WEIGHT;
}

function staticGroups(own: string, mixGroups: string | undefined, problems: RejectedEntry[]): PlannedGroup[] {
  const others = (mixGroups ?? '').split(',').map((group) => group.trim());
  while (others.length > 0 && others.at(-1) === '') others.pop();
  const entries = [own, ...others.filter((group) => group !== own)];
  if (entries.length === 1) return [{ group: own, weight: undefined }];
  return readGroups(entries, (at, reason) => {
    problems.push({ where: `mixGroups[${at - 1}]`, code: 'BAD_MERGE_GROUP', reason });
  });
}

function modeOf(groups: readonly PlannedGroup[]): 'mix' | 'weighted' {
  return groups[0]!.weight === undefined ? 'mix' : 'weighted';
}

function routeRules(command: ClientCommand, problems: RejectedEntry[]): RouteRule[] {
  return command.routeRules.flatMap((text, at) => {
    try {
      return [parseRouteRule(text)];
    } catch (error) {
      problems.push({
        where: `${command.where}.routeRules[${at}]`,
        code: 'BAD_ROUTE_RULE',
        reason: errorText(error),
      });
      return [];
    }
  });
}
