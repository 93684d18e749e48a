import { Command } from 'commander';
import { parseName } from '../../motan/name.ts';
import type { Resolution } from '../../motan/resolution.ts';
import { type NameFlags, openNames, yamlOf } from '../open-names.ts';
import { checked } from './checked.ts';
import type { CliContext } from './command.ts';
import { addNameOptions } from './name-options.ts';
import { percent } from './percent.ts';
import { stayAlive } from './stay-alive.ts';

interface ResolveFlags extends NameFlags {
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** `upsync resolve`. */
export function resolveCommand(context: CliContext): Command {
  const command = new Command('resolve')
    .description(
      'Shows the servers of a name, ranked over the IDCs, and why they are ranked so.\n' +
        'Ends with 1 when no server takes traffic.',
    )
    .argument('<name>', 'resource.idc.port; {idc} stands for the local one', checked(checkName));
  return addNameOptions(command)
    .option('--watch', 'go on and show each change')
    .option('--json', 'for programs, one line per answer')
    .addHelpText(
      'after',
      '\nExample: upsync resolve rs.a.6379 --consul http://127.0.0.1:8500 --idc a --idcs a,b,cloud',
    )
    .action(async (name: string, flags: ResolveFlags) => {
      const { resolver } = await openNames(flags, yamlOf(flags), context);
      const show = (resolution: Resolution): void =>
        context.stdout(flags.json ? `${JSON.stringify(resolution)}\n` : formatResolution(resolution));
      try {
        const first = await resolver.ready(name, { signal: context.signal });
        show(first);
        context.exitCode = first.servers.some(({ share }) => share > 0) ? 0 : 1;
        if (!flags.watch) return;
        const end = stayAlive(context.signal);
        for await (const resolution of resolver.changes(name, context.signal))
          if (resolution.version > first.version) show(resolution);
        await end;
        context.exitCode = 0;
      } finally {
        await resolver.close();
      }
    });
}

// Any IDC will do here: which one is the local one is not known yet.
function checkName(text: string): void {
  parseName(text, 'local');
}

/** A resolution as text. */
export function formatResolution(resolution: Resolution): string {
  const { name, version, state, servers, idcs, reasons } = resolution;
  const lines = [`${name}  ${state}  version ${version}`];
  for (const { idc, share, healthy, servers: count, panic, state: own } of idcs) {
    lines.push(
      `  ${idc}: ${percent(share)} of the traffic, ${healthy} of ${count} healthy, ${panic ? 'panic, ' : ''}${own}`,
    );
    for (const server of servers.filter((one) => one.idc === idc))
      lines.push(
        `    ${server.address}  weight ${server.weight}  ${percent(server.share)}  ${server.health}`,
      );
  }
  for (const { idc, code, text } of reasons) lines.push(`  ${code} (${idc}): ${text}`);
  return `${lines.join('\n')}\n`;
}
