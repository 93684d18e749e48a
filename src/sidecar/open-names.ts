import path from 'node:path';
import { UpsyncError } from '../upstream/errors.ts';
import type { Logger } from '../upstream/logger.ts';
import { consulDatacenter, consulSources, type ConsulSources } from '../motan/consul-sources.ts';
import { chooseLocalIdc } from '../motan/name.ts';
import { createResolver } from '../motan/resolver.ts';
import type { Resolver } from '../motan/resolution.ts';
import {
  consulServiceMapping,
  createTopology,
  type IdcOptions,
  motanGroupMapping,
  type NameMapping,
  templateMapping,
  type Topology,
} from '../motan/topology.ts';
import type { MotanSection } from './upsync-yaml-names.ts';
import { readYaml, type YamlFile } from './upsync-yaml.ts';

/** What a command line says about where names come from. */
export interface NameFlags {
  readonly conf?: string;
  /** Base URL of the local Consul agent. */
  readonly consul?: string;
  /** The local IDC. */
  readonly idc?: string;
  /** `a,b,cloud` or `a=http://…,b=http://…`. */
  readonly idcs?: string;
  readonly mapping?: string;
  readonly tokenFile?: string;
}

/** A resolver, and what it was made of. */
export interface OpenedNames {
  readonly resolver: Resolver;
  readonly topology: Topology;
}

export interface OpenNamesOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly logger?: Logger;
}

/** The configuration file of a command line, when it names one. @throws as `readYaml` */
export function yamlOf({ conf }: Pick<NameFlags, 'conf'>): YamlFile | undefined {
  return conf === undefined ? undefined : readYaml(path.resolve(conf));
}

/**
 * Opens a resolver from a configuration and flags; flags win.
 * @throws {UpsyncError} USAGE when the local IDC is not known, BAD_TOPOLOGY.
 */
export async function openNames(
  flags: NameFlags,
  yaml: YamlFile | undefined,
  { env, signal, logger }: OpenNamesOptions,
): Promise<OpenedNames> {
  const section: Partial<MotanSection> = yaml?.data.motan ?? {};
  const folder = yaml === undefined ? process.cwd() : path.dirname(yaml.file);
  const sources = openSources(flags, section, folder);
  const idcs = flags.idcs === undefined ? (section.idcs ?? []).map(idcOptions) : idcList(flags.idcs);
  const named = chooseLocalIdc(flags.idc ?? section.local, env);
  const local = named ?? chooseLocalIdc(undefined, {}, await consulDatacenter(sources, signal));
  if (local === undefined)
    throw new UpsyncError(
      'USAGE',
      'the local IDC is not known: name it with --idc, with UPSYNC_IDC or as motan.local of the configuration',
    );
  const topology = createTopology({
    local,
    idcs: idcs.length === 0 ? [{ name: local }] : idcs,
    mapping: mappingOf(flags.mapping ?? section.mapping),
    ...(section.order && { order: section.order }),
  });
  const resolver = createResolver({
    topology,
    providers: sources.providers,
    commands: sources.commands,
    ...(section.snapshots !== undefined && { snapshotDir: path.resolve(folder, section.snapshots) }),
    ...(logger && { logger }),
  });
  return { resolver, topology };
}

/** Opens Consul as flags or a configuration name it. */
export function openSources(
  flags: Pick<NameFlags, 'consul' | 'tokenFile'>,
  section: Partial<MotanSection> = {},
  folder: string = process.cwd(),
): ConsulSources {
  const addresses = flags.consul === undefined ? section.consul : [flags.consul];
  const tokenFile = flags.tokenFile ?? section.token_file;
  return consulSources({
    ...(addresses !== undefined && { addresses: [addresses].flat() }),
    ...(section.token !== undefined && { token: section.token }),
    ...(tokenFile !== undefined && { tokenFile: path.resolve(folder, tokenFile) }),
  });
}

function idcOptions(section: MotanSection['idcs'][number]): IdcOptions {
  const { name, datacenter, registry, fallback } = section;
  return {
    name,
    ...(datacenter !== undefined && { datacenter }),
    ...(registry !== undefined && { registry }),
    ...(section.motan_group !== undefined && { motanGroup: section.motan_group }),
    ...(section.capacity_factor !== undefined && { capacityFactor: section.capacity_factor }),
    ...(fallback !== undefined && { fallback }),
  };
}

function idcList(text: string): IdcOptions[] {
  return text.split(',').map((part) => {
    const [name, registry] = part.trim().split(/=(.*)/s);
    return registry === undefined ? { name: name! } : { name: name!, registry };
  });
}

function mappingOf(text: string | undefined): NameMapping {
  if (text === undefined || text === 'consul') return consulServiceMapping;
  if (text === 'motan') return motanGroupMapping();
  if (text.startsWith('motan:')) return motanGroupMapping({ path: text.slice('motan:'.length) });
  if (text.includes('{resource}')) return templateMapping(text);
  throw new UpsyncError(
    'USAGE',
    `mapping ${JSON.stringify(text.slice(0, 60))} is neither consul nor motan nor motan:INTERFACE nor a template with {resource}`,
  );
}
