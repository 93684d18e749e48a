import path from 'node:path';
import { CONFIG_SERVICE_DEFAULTS, type ConfigServiceOptions } from '../../motan/config-service/server.ts';
import { IDC_PLACEHOLDER } from '../../motan/name.ts';
import { DNS_DEFAULTS, type DnsServerOptions } from '../../motan/dns/server.ts';
import { parsePlan, type ScheduledPlan } from '../../motan/schedule/plan.ts';
import { errorText } from '../../upstream/errors.ts';
import { ConfigError, ConfigErrors } from '../../upsync/config-error.ts';
import type { NameFlags } from '../open-names.ts';
import { parseListen, readListen } from '../upsync-yaml-plans.ts';
import type { YamlFile } from '../upsync-yaml.ts';

/** What a command line says about names and their DNS server. */
export interface ServeFlags extends NameFlags {
  readonly listen?: string;
  readonly suffix?: string;
  /** `10.0.0.2:53,10.0.0.3`. */
  readonly forward?: string;
}

type Listening<O> = Omit<O, 'resolver' | 'logger' | 'listen'> & {
  readonly listen: { readonly host: string; readonly port: number };
};

/** What a configuration wants served from names. */
export interface WantedNames {
  /** Differs when names are looked up in another way. */
  readonly key: string;
  readonly dns: Listening<DnsServerOptions> | undefined;
  readonly configService: Listening<ConfigServiceOptions> | undefined;
  readonly plans: readonly ScheduledPlan[];
}

/**
 * Reads what a configuration and flags want served from names; flags win. Pure.
 * @throws {ConfigError} CONFIG_INVALID with file and line.
 */
export function wantedNames(yaml: YamlFile | undefined, flags: ServeFlags, dnsAlways: boolean): WantedNames {
  const { motan, dns, config_service: service } = yaml?.data ?? {};
  const folder = yaml === undefined ? '' : path.dirname(yaml.file);
  const suffix = flags.suffix ?? dns?.suffix;
  const { host, port } = DNS_DEFAULTS;
  return {
    key: JSON.stringify([folder, motan]),
    dns:
      dns === undefined && !dnsAlways
        ? undefined
        : {
            listen: listenOf(flags.listen, yaml, 'dns', dns?.listen) ?? { host, port },
            ...(suffix !== undefined && { suffix }),
            ...(dns?.ttl !== undefined && { ttlSeconds: dns.ttl }),
            ...(dns?.negative_ttl !== undefined && { negativeTtlSeconds: dns.negative_ttl }),
            ...(dns?.max_names !== undefined && { maxNames: dns.max_names }),
            forward: flags.forward?.split(',').map((one) => one.trim()) ?? dns?.forward ?? [],
          },
    configService: service && {
      listen: listenOf(undefined, yaml, 'config_service', service.listen) ?? CONFIG_SERVICE_DEFAULTS,
      ...(service.threshold !== undefined && { threshold: service.threshold }),
      ...(service.writers && { writers: service.writers }),
      ...(service.changed_share !== undefined && { changedShare: service.changed_share }),
      ...(service.nodes_file !== undefined && { nodesFile: path.resolve(folder, service.nodes_file) }),
      ...(service.groups_file !== undefined && { groupsFile: path.resolve(folder, service.groups_file) }),
    },
    plans: plansOf(yaml),
  };
}

/**
 * The traffic plans of a configuration; with `idcs` none may speak of another one.
 * @throws {ConfigErrors} CONFIG_INVALID with the line of every mistake.
 */
export function plansOf(yaml: YamlFile | undefined, idcs?: ReadonlySet<string>): readonly ScheduledPlan[] {
  const errors: ConfigError[] = [];
  const plans: ScheduledPlan[] = [];
  for (const [at, text] of (yaml?.data.schedules ?? []).entries()) {
    try {
      const plan = parsePlan(text);
      if (plans.some(({ name }) => name === plan.name)) throw new Error(`plan "${plan.name}" is there twice`);
      const unknown = idcs && idcsNamedBy(plan).find((idc) => !idcs.has(idc));
      if (unknown !== undefined)
        throw new Error(
          `plan "${plan.name}" names ${JSON.stringify(unknown)}, which is none of the IDCs: ${[...idcs!].join(', ')}`,
        );
      plans.push(plan);
    } catch (error) {
      const place = { file: yaml!.file, line: yaml!.lineOf(['schedules', at]) };
      errors.push(new ConfigError(errorText(error), place, { cause: error }));
    }
  }
  if (errors.length > 0) throw new ConfigErrors(errors);
  return plans;
}

function idcsNamedBy({ weights, target = '*' }: ScheduledPlan): readonly string[] {
  const own = /\.([^.]+)\.\d+$/.exec(target.toLowerCase())?.[1];
  return [...Object.keys(weights), ...(own === undefined || own === IDC_PLACEHOLDER ? [] : [own])];
}

function listenOf(
  flag: string | undefined,
  yaml: YamlFile | undefined,
  section: string,
  text: string | undefined,
): { host: string; port: number } | undefined {
  if (flag !== undefined) return readListen(flag);
  if (text === undefined) return undefined;
  return parseListen(text, { file: yaml!.file, line: yaml!.lineOf([section, 'listen']) });
}
