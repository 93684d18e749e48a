import { type RegistryHttp, requireOk } from '../../discovery/http.ts';
import { isFields, parseReplyArray } from '../../discovery/reply-json.ts';
import { UpsyncError } from '../../upstream/errors.ts';
import { commandKeyOf } from '../service.ts';
import { MAX_COMMAND_LENGTH, parseCommands } from './command.ts';
import { commandProblems } from './evaluate.ts';

/** What is stored of a group's commands. */
export interface StoredCommand {
  readonly text: string;
  /** Consul's ModifyIndex, to write only over what was read. */
  readonly index: number;
}

const DEADLINE_MS = 5000;

/** The command text of a group as it stands in Consul; undefined when there is none. */
export async function readCommand(
  http: RegistryHttp,
  group: string,
  signal: AbortSignal,
): Promise<StoredCommand | undefined> {
  const reply = await http.request({ path: pathOf(group), deadlineMs: DEADLINE_MS, signal });
  if (reply.status === 404) return undefined;
  const [item] = parseReplyArray(requireOk(reply));
  if (!isFields(item)) return undefined;
  const value = typeof item['Value'] === 'string' ? item['Value'] : '';
  return { text: Buffer.from(value, 'base64').toString('utf8'), index: Number(item['ModifyIndex'] ?? 0) };
}

/**
 * Writes the commands of a group; Motan clients of every language obey them from then on. With `index` only over what was read
 * with that index (0: only when there is none).
 * @throws {UpsyncError} BAD_COMMAND when the text has a problem that would keep a command from being obeyed, COMMAND_CHANGED
 * when somebody else wrote meanwhile; nothing is then written.
 */
export async function writeCommand(
  http: RegistryHttp,
  group: string,
  text: string,
  options: { readonly signal: AbortSignal; readonly index?: number },
): Promise<void> {
  const list = parseCommands(text);
  const { commands } = list;
  const problems = commandProblems(list);
  if (problems.length > 0 || commands.length === 0 || text.length > MAX_COMMAND_LENGTH)
    throw new UpsyncError(
      'BAD_COMMAND',
      `the command of group ${group} is not written: ${problems[0]?.where ?? 'command'}: ${problems[0]?.reason ?? 'it holds no client command'}`,
    );
  await change(http, 'PUT', group, text, options);
}

/** Takes the commands of a group away; clients then use their own group again. */
export async function clearCommand(http: RegistryHttp, group: string, signal: AbortSignal): Promise<void> {
  // An empty value and no key mean the same to Motan; PUT is what every Consul policy for writing allows.
  await change(http, 'PUT', group, '', { signal });
}

async function change(
  http: RegistryHttp,
  method: 'PUT',
  group: string,
  body: string,
  { signal, index }: { readonly signal: AbortSignal; readonly index?: number },
): Promise<void> {
  const path = index === undefined ? pathOf(group) : `${pathOf(group)}?cas=${index}`;
  const reply = requireOk(await http.request({ method, path, body, deadlineMs: DEADLINE_MS, signal }));
  if (reply.text.trim() !== 'true')
    throw new UpsyncError(
      'COMMAND_CHANGED',
      `the command of group ${group} was changed by somebody else; it is not written`,
    );
}

function pathOf(group: string): string {
  return `/v1/kv/${commandKeyOf(group).split('/').map(encodeURIComponent).join('/')}`;
}
