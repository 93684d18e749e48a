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
 * read is passed over, and both are reported. Empty text is no command. Fields count in any case, with `_` or `-` inside.
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
  const list = fieldsOf(value)?.get('clientcommandlist');
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
    if (fields === undefined) problems.push(bad(where, 'it is not an object; it is passed over'));
    else
      commands.push(readCommand(fields, where, (field, why) => problems.push(bad(`${where}.${field}`, why))));
  });
  commands.sort((a, b) => (a.index ?? -Infinity) - (b.index ?? -Infinity) || 0);
  return { commands, problems };
}

type Report = (field: string, why: string) => void;

function readCommand(fields: ReadonlyMap<string, unknown>, where: string, report: Report): ClientCommand {
  const text = (name: string): string | undefined => {
    const value = fields.get(name);
    return typeof value === 'string'
      ? value
      : value === undefined || value === null
        ? undefined
        : plain(value);
  };
  return Object.freeze({
    where,
    index: wholeNumber(fields.get('index'), 'index', report),
    commandType: wholeNumber(fields.get('commandtype'), 'commandType', report) ?? 0,
    pattern: text('pattern'),
    mergeGroups: textList(fields.get('mergegroups'), 'mergeGroups', report),
    routeRules: textList(fields.get('routerules'), 'routeRules', report),
    remark: text('remark'),
  });
}

function fieldsOf(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return new Map(
    Object.entries(value).map(([name, field]) => [name.replace(/[_-]/g, '').toLowerCase(), field]),
  );
}

function textList(value: unknown, field: string, report: Report): readonly string[] {
  if (value === undefined || value === null) return [];
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  return items.flatMap((item, at) => {
    if (typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean')
      return [String(item)];
    report(`${field}[${at}]`, 'it is not text; it is passed over');
    return [];
  });
}

function wholeNumber(value: unknown, field: string, report: Report): number | undefined {
  if (value === undefined || value === null || value === '' || value === 'null') return undefined;
  const number = typeof value === 'string' && !/^[+-]?\d+$/.test(value) ? Number.NaN : Number(value);
  if (Number.isFinite(number) && Math.abs(number) <= 2_147_483_648) return Math.trunc(number);
  report(field, 'it is not a 32-bit whole number; it counts as absent');
  return undefined;
}

function plain(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : `${value as number | boolean}`;
}
