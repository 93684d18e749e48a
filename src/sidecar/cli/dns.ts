import { Command } from 'commander';
import { parseServer } from '../../motan/dns/forwarder.ts';
import { DNS_DEFAULTS } from '../../motan/dns/server.ts';
import { checkedSuffix } from '../../motan/dns/suffix.ts';
import { formatUpcoming } from '../../motan/schedule/active.ts';
import { filePrint, followYaml } from '../follow-yaml.ts';
import { createLogger } from '../log.ts';
import { ServedNames } from '../names/served-names.ts';
import { plansOf, type ServeFlags } from '../names/wanted-names.ts';
import { yamlOf } from '../open-names.ts';
import { readListen } from '../upsync-yaml-plans.ts';
import type { FolderWatch } from '../watch-folders.ts';
import { checked } from './checked.ts';
import type { CliContext } from './command.ts';
import { addNameOptions } from './name-options.ts';
import { untilAborted } from './until-aborted.ts';

interface DnsFlags extends ServeFlags {
  readonly dryRun?: boolean;
}

/** `upsync dns`. */
export function dnsCommand(context: CliContext): Command {
  const command = new Command('dns').description(
    'Answers names over DNS: rs.a.6379 and rs.a.6379.idc.local, A, AAAA and SRV, over UDP and TCP.\n' +
      'With a configuration file also its timed traffic plans (schedules) and its config service.\n' +
      'The file is watched, and applied when it is valid.',
  );
  return addNameOptions(command)
    .option(
      '--listen <address>',
      `host:port (default: ${DNS_DEFAULTS.host}:${DNS_DEFAULTS.port})`,
      checked(readListen),
    )
    .option(
      '--suffix <domain>',
      `domain below which names are answered (default: ${DNS_DEFAULTS.suffix})`,
      checked(checkedSuffix),
    )
    .option(
      '--forward <servers>',
      'resolvers for all other names: 10.0.0.2:53,10.0.0.3 (default: refuse them)',
      checked((text) => text.split(',').map((one) => parseServer(one.trim()))),
    )
    .option('--dry-run', 'print the coming week of the traffic plans and end')
    .addHelpText('after', '\nExample: upsync dns -c upsync.yaml --listen 127.0.0.1:8600')
    .action(async (flags: DnsFlags) => {
      if (flags.dryRun) return printWeek(flags, context);
      await serve(flags, context);
    });
}

async function serve(flags: DnsFlags, context: CliContext): Promise<void> {
  const { env, signal } = context;
  const print = flags.conf === undefined ? '' : filePrint(flags.conf);
  const yaml = yamlOf(flags);
  const logger = createLogger({
    component: 'dns',
    write: context.stderr,
    ...(yaml?.data.log_level && { level: yaml.data.log_level }),
  });
  const names = new ServedNames({ env, signal, logger, flags, dnsAlways: true });
  let following: FolderWatch | undefined;
  try {
    await names.apply(yaml);
    for (const line of names.lines()) context.stdout(`${line}\n`);
    if (yaml !== undefined) following = followYaml(yaml.file, print, (next) => names.apply(next), { logger });
    await untilAborted(signal);
  } finally {
    await following?.close();
    await names.close();
  }
}

function printWeek(flags: DnsFlags, context: CliContext): void {
  const yaml = yamlOf(flags);
  // Where the file does not list the IDCs only the registry knows them, and nothing is asked here.
  const idcs = flags.idcs === undefined ? yaml?.data.motan?.idcs?.map(({ name }) => name) : undefined;
  const plans = plansOf(yaml, idcs && new Set(idcs));
  if (plans.length === 0) context.stdout('no traffic plans are configured\n');
  else context.stdout(formatUpcoming(plans, Date.now(), plans[0]!.timeZone));
}
