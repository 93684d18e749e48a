import { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { clearCommand, readCommand, writeCommand } from '../../motan/commands/command-store.ts';
import { parseCommands } from '../../motan/commands/command.ts';
import { planGroups } from '../../motan/commands/evaluate.ts';
import { type CommandPreview, previewCommand } from '../../motan/commands/preview.ts';
import { CONSUL_ADDRESS, type ConsulSources } from '../../motan/consul-sources.ts';
import { findLocalIp } from '../../motan/local-ip.ts';
import { isHealthy, type Provider } from '../../motan/provider.ts';
import { serviceNameOf } from '../../motan/service.ts';
import { errorText, UpsyncError } from '../../upstream/errors.ts';
import { openSources } from '../open-names.ts';
import { checked, checkRegistryUrl } from './checked.ts';
import type { CliContext } from './command.ts';

interface CommandFlags {
  readonly consul?: string;
  readonly tokenFile?: string;
}

interface PreviewFlags extends CommandFlags {
  readonly path: string;
  readonly localIp?: string;
  readonly json?: boolean;
}

const LOOKUP_MS = 5000;

/** `upsync command`. */
export function motanCommand(context: CliContext): Command {
  const command = new Command('command').description(
    'Shows, tries and writes the traffic commands of a Motan group, which switch traffic between groups (IDCs).\n' +
      "A command is a file with Motan's JSON, or - for standard input.",
  );
  sub(context, command, 'show', 'Prints the commands that are in force.', 'rs.a').action(
    async (group: string, flags: CommandFlags) => {
      const stored = await readCommand(openSources(flags).http(), group, context.signal);
      context.stdout(
        stored === undefined || stored.text === '' ? `group ${group} has no command\n` : `${stored.text}\n`,
      );
    },
  );
  sub(
    context,
    command,
    'preview',
    'Shows what a command would do; nothing is written.',
    'rs.a switch.json',
    '<file>',
  )
    .option('--path <interface>', 'interface path of the consumer that is looked at', '*')
    .option('--local-ip <address>', 'address of that consumer (default: this host)')
    .option('--json', 'for programs')
    .action(async (group: string, file: string, flags: PreviewFlags) => {
      const preview = await previewOf(openSources(flags), group, await readText(file), flags, context.signal);
      context.stdout(flags.json ? `${JSON.stringify(preview, undefined, 2)}\n` : formatPreview(preview));
      context.exitCode = preview.problems.length > 0 ? 1 : 0;
    });
  sub(
    context,
    command,
    'set',
    'Writes a command, in force within a second.',
    'rs.a switch.json',
    '<file>',
  ).action(async (group: string, file: string, flags: CommandFlags) => {
    const text = await readText(file);
    await writeCommand(openSources(flags).http(), group, text, { signal: context.signal });
    context.stdout(`the command of group ${group} is written\n`);
  });
  sub(context, command, 'clear', 'Takes the commands away: every group serves itself again.', 'rs.a').action(
    async (group: string, flags: CommandFlags) => {
      await clearCommand(openSources(flags).http(), group, context.signal);
      context.stdout(`the command of group ${group} is cleared\n`);
    },
  );
  return command.addHelpText(
    'after',
    '\nExample: upsync command preview rs.a switch.json --path com.weibo.UserService\nExample: upsync command set rs.a switch.json',
  );
}

function sub(
  context: CliContext,
  parent: Command,
  name: string,
  summary: string,
  example: string,
  more = '',
): Command {
  const command = parent
    .command(name)
    .description(summary)
    .addHelpText('after', `\nExample: upsync command ${name} ${example}`)
    .argument('<group>', 'the Motan group, for instance rs.a');
  if (more !== '') command.argument(more, 'file with the command as JSON; - is standard input');
  return command
    .exitOverride()
    .configureOutput({
      writeOut: context.stdout,
      writeErr: context.stderr,
      outputError: (text, write) => write(text.replace(/^error: /, 'upsync: ')),
    })
    .option(
      '--consul <url>',
      `the local Consul agent (default: ${CONSUL_ADDRESS})`,
      checked(checkRegistryUrl),
    )
    .option('--token-file <file>', 'file whose first line is the token of Consul');
}

async function previewOf(
  sources: ConsulSources,
  group: string,
  command: string,
  { path, localIp = findLocalIp() }: PreviewFlags,
  signal: AbortSignal,
): Promise<CommandPreview<Provider>> {
  const input = { path, group, commands: parseCommands(command) };
  const groups = [group, ...planGroups(input).groups.map((one) => one.group)];
  const servers = new Map<string, readonly Provider[]>();
  for (const one of new Set(groups.map((name) => name || group)))
    servers.set(one, await providersOf(sources, one, path, signal));
  const serversOf = (name: string): readonly Provider[] => servers.get(name || group) ?? [];
  return previewCommand({ path, group, command, localIp, serversOf });
}

async function providersOf(
  sources: ConsulSources,
  group: string,
  path: string,
  signal: AbortSignal,
): Promise<readonly Provider[]> {
  const bound = AbortSignal.any([signal, AbortSignal.timeout(LOOKUP_MS)]);
  for await (const { providers } of sources
    .providers({ service: serviceNameOf(group), group, stale: false })
    .values(bound))
    return providers.filter(
      ({ health, motan }) => isHealthy(health) && (path === '*' || motan?.path === path),
    );
  throw new UpsyncError(
    'SOURCE_TIMEOUT',
    `the registry did not tell the providers of group ${group} in time`,
  );
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file === '-' ? '/dev/stdin' : file, 'utf8');
  } catch (error) {
    throw new UpsyncError('COMMAND_UNREADABLE', `cannot read the command: ${errorText(error)}`, {
      cause: error,
    });
  }
}

function formatPreview(preview: CommandPreview<Provider>): string {
  const { mode, used, groups, problems } = preview;
  const lines = [
    used === undefined
      ? 'no command applies'
      : `${used.where} applies${used.remark === undefined ? '' : `: ${used.remark}`}`,
    `mode ${mode}`,
  ];
  for (const { group, weight, share, servers, dropped } of groups) {
    const own = weight === undefined ? '' : ` weight ${weight},`;
    lines.push(`  ${group}:${own} ${(share * 100).toFixed(1)} % of the traffic`);
    for (const { address } of servers) lines.push(`    ${address}`);
    for (const { address } of dropped) lines.push(`    ${address}  left out by the route rules`);
  }
  for (const { where, code, reason } of problems) lines.push(`  ${code} ${where}: ${reason}`);
  return `${lines.join('\n')}\n`;
}
