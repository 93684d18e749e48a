import { errorText, type RejectedEntry } from '../../upstream/errors.ts';
import { parseRelaxedJson } from './relaxed-json.ts';

/** One entry of `clientCommandList`, checked and with absent fields filled in. Immutable. */
export interface ClientCommand {
  /** Place in the list as written, for reports. */
  readonly where: string;
  /** Ascending order; undefined comes first. */
  readonly index: number | undefined;
  /** 0 is traffic control; others (1 degrade, 2 switch) mean nothing to a Motan client. */
  readonly commandType: number;
  readonly pattern: string | undefined;
  readonly mergeGroups: readonly string[];
  readonly routeRules: readonly string[];
  /** Free text, also shown to people. */
  readonly remark: string | undefined;
}

/** What a command text says, in the order in which it is tried. */
export interface CommandList {
  readonly commands: readonly ClientCommand[];
  /** What could not be used, each with its place; the rest counts. */
  readonly problems: readonly RejectedEntry[];
}

/** Longest command text that is read, in UTF-16 units: Consul's own limit of a KV value. */
export const MAX_COMMAND_LENGTH = 524_288;
const NONE: CommandList = Object.freeze({ commands: [], problems: [] });

/**
 * Reads the commands of a group as Motan does. Never throws: a text that cannot be read is no command, an entry that cannot be
 * read is passed over (to Motan the whole text is then no command), and both are reported. Empty text is no command, one entry
 * without a list around it is a list of one. Fields count in any case, with `_` or `-` inside.
 */
export function parseCommands(text: string | undefined): CommandList {
  if (text === undefined || text.trim() === '') return NONE;
  const bad = (where: string, reason: string): RejectedEntry => ({ where, code: 'BAD_COMMAND', reason });
  if (text.length > MAX_COMMAND_LENGTH)
    return {
      commands: [],
      problems: [bad('command', `it is longer than ${MAX_COMMAND_LENGTH} characters; it is ignored`)],
    };
  let value: unknown;
  try {
    value = parseRelaxedJson(text);
  } catch (error) {
    return {
      commands: [],
      problems: [bad('command', `it is not JSON and is ignored: ${errorText(error).slice(0, 80)}`)],
    };
  }
  const given = fieldsOf(value)?.get('clientcommandlist');
  const list: unknown = fieldsOf(given) === undefined ? given : [given];
  if (!Array.isArray(list)) {
    const isAbsent = fieldsOf(value) !== undefined && (list === undefined || list === null);
    return isAbsent
      ? NONE
      : { commands: [], problems: [bad('command', 'clientCommandList is not a list; it is ignored')] };
  }
  const problems: RejectedEntry[] = [];
  const commands: ClientCommand[] = [];
  list.forEach((entry: unknown, at) => {
    const where = `clientCommandList[${at}]`;
    const fields = fieldsOf(entry);
    if (fields === undefined) {
      problems.push(bad(where, 'it is not an object; it is passed over'));
      return;
    }
    const command = readCommand(fields, where, (field, why) => problems.push(bad(`${where}.${field}`, why)));
    if (command !== undefined) commands.push(command);
  });
  commands.sort((a, b) => (a.index ?? -Infinity) - (b.index ?? -Infinity) || 0);
  return { commands, problems };
}

type Report = (field: string, why: string) => void;

// Undefined when a part of it that decides cannot be read: what it would do is then anybody's guess.
function readCommand(
  fields: ReadonlyMap<string, unknown>,
  where: string,
  report: Report,
): ClientCommand | undefined {
  const text = (name: string): string | undefined => {
    const value = fields.get(name);
    return typeof value === 'string'
      ? value
      : value === undefined || value === null
        ? undefined
        : plain(value);
  };
  const index = wholeNumber(fields.get('index'), 'index', report);
  const commandType = wholeNumber(fields.get('commandtype'), 'commandType', report);
  const mergeGroups = textList(fields.get('mergegroups'), 'mergeGroups', report);
  if (index === 'unreadable' || commandType === 'unreadable' || mergeGroups === 'unreadable')
    return undefined;
  const rules = textList(fields.get('routerules'), 'routeRules', report);
  return Object.freeze({
    where,
    index,
    commandType: commandType ?? 0,
    pattern: text('pattern'),
    mergeGroups,
    routeRules: rules === 'unreadable' ? [] : rules,
    remark: text('remark'),
  });
}

function fieldsOf(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return new Map(
    Object.entries(value).map(([name, field]) => [name.replace(/[_-]/g, '').toLowerCase(), field]),
  );
}

function textList(value: unknown, field: string, report: Report): readonly string[] | 'unreadable' {
  if (value === undefined || value === null) return [];
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  const texts = items.flatMap((item, at) => {
    if (typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean')
      return [String(item)];
    report(`${field}[${at}]`, 'it is not text; it is passed over');
    return [];
  });
  return items.length > 0 && texts.length === 0 ? 'unreadable' : texts;
}

function wholeNumber(value: unknown, field: string, report: Report): number | undefined | 'unreadable' {
  if (value === undefined || value === null || ABSENT.has(value)) return undefined;
  const isPlain = typeof value === 'string' ? /^[+-]?\d+(?:\.0*)?$/.test(value) : typeof value !== 'object';
  const number = isPlain ? Math.trunc(Number(value)) : Number.NaN;
  if (number >= -2_147_483_648 && number <= 2_147_483_647) return number;
  report(field, 'it is not a 32-bit whole number; the command is passed over');
  return 'unreadable';
}

/** Text that stands for no number. Source: fastjson. */
const ABSENT: ReadonlySet<unknown> = new Set(['', 'null', 'NULL']);

function plain(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : `${value as number | boolean}`;
}
