import { Command } from 'commander';
import path from 'node:path';
import { createConfigService } from '../../motan/config-service/server.ts';
import { createDnsServer, DNS_DEFAULTS } from '../../motan/dns/server.ts';
import { formatUpcoming } from '../../motan/schedule/active.ts';
import { parsePlan, type ScheduledPlan } from '../../motan/schedule/plan.ts';
import { formatStatus, startSchedule } from '../../motan/schedule/schedule.ts';
import { formatAddress } from '../../upstream/address.ts';
import { createLogger } from '../log.ts';
import { type NameFlags, openNames } from '../open-names.ts';
import { parseListen } from '../upsync-yaml-plans.ts';
import { readYaml, type YamlFile } from '../upsync-yaml.ts';
import type { CliContext } from './command.ts';
import { addNameOptions } from './name-options.ts';
import { untilAborted } from './until-aborted.ts';

interface DnsFlags extends NameFlags {
  readonly listen?: string;
  readonly suffix?: string;
  readonly forward?: string;
  readonly dryRun?: boolean;
}

/** `upsync dns`. */
export function dnsCommand(context: CliContext): Command {
  const command = new Command('dns').description(
    'Answers names over DNS: rs.a.6379 and rs.a.6379.idc.local, A, AAAA and SRV, over UDP and TCP.\n' +
      'With a configuration also its timed traffic plans (schedules) and its config service.',
  );
  return addNameOptions(command)
    .option('--listen <address>', `host:port (default ${DNS_DEFAULTS.host}:${DNS_DEFAULTS.port})`)
    .option('--suffix <domain>', `domain below which names are answered (default ${DNS_DEFAULTS.suffix})`)
    .option(
      '--forward <servers>',
      'resolvers for all other names: 10.0.0.2:53,10.0.0.3 (default: refuse them)',
    )
    .option('--dry-run', 'print the coming week of the traffic plans and end')
    .addHelpText('after', '\nExample: upsync dns -c upsync.yaml --listen 127.0.0.1:8600')
    .action(async (flags: DnsFlags) => {
      if (flags.dryRun) return printWeek(flags, context);
      await serve(flags, context);
    });
}

async function serve(flags: DnsFlags, context: CliContext): Promise<void> {
  const logger = createLogger({ component: 'dns', write: context.stderr });
  const { resolver, yaml } = await openNames(flags, context.env, context.signal, logger);
  const closers: (() => Promise<void>)[] = [() => resolver.close()];
  try {
    const section = yaml?.data.dns ?? {};
    const suffix = flags.suffix ?? section.suffix;
    const dns = await createDnsServer({
      resolver,
      logger,
      listen: listenOf(flags.listen ?? section.listen, yaml, 'dns') ?? {},
      ...(suffix !== undefined && { suffix }),
      ...(section.ttl !== undefined && { ttlSeconds: section.ttl }),
      ...(section.negative_ttl !== undefined && { negativeTtlSeconds: section.negative_ttl }),
      ...(section.max_names !== undefined && { maxNames: section.max_names }),
      forward: flags.forward?.split(',').map((one) => one.trim()) ?? section.forward ?? [],
    });
    closers.unshift(() => dns.close());
    context.stdout(
      `dns listens on ${formatAddress(dns.address, dns.port)} (UDP and TCP), IDC ${resolver.local}\n`,
    );
    const configSection = yaml?.data.config_service;
    if (configSection !== undefined) {
      const service = await createConfigService({
        resolver,
        logger,
        listen: listenOf(configSection.listen, yaml, 'config_service') ?? {},
        ...(configSection.threshold !== undefined && { threshold: configSection.threshold }),
        ...(configSection.groups_file !== undefined && {
          groupsFile: path.resolve(path.dirname(yaml!.file), configSection.groups_file),
        }),
      });
      closers.unshift(() => service.close());
      context.stdout(`config service listens on ${service.url}\n`);
    }
    const plans = plansOf(yaml);
    if (plans.length > 0) {
      const schedule = startSchedule({ resolver, plans, logger });
      closers.unshift(() => schedule.close());
      context.stdout(`traffic plans: ${formatStatus(schedule.status())}\n`);
    }
    await untilAborted(context.signal);
  } finally {
    for (const close of closers) await close();
  }
}

function printWeek(flags: DnsFlags, context: CliContext): void {
  const plans = plansOf(flags.conf === undefined ? undefined : readYaml(path.resolve(flags.conf)));
  if (plans.length === 0) context.stdout('no traffic plans are configured\n');
  else context.stdout(formatUpcoming(plans, Date.now(), plans[0]!.timeZone));
}

function plansOf(yaml: YamlFile | undefined): readonly ScheduledPlan[] {
  return (yaml?.data.schedules ?? []).map(parsePlan);
}

function listenOf(
  text: string | undefined,
  yaml: YamlFile | undefined,
  section: string,
): { host: string; port: number } | undefined {
  if (text === undefined) return undefined;
  return parseListen(text, { file: yaml?.file ?? '--listen', line: yaml?.lineOf([section, 'listen']) ?? 1 });
}
