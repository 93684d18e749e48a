import { UpsyncError } from '../upstream/errors.ts';
import { isIdcLabel, type ResourceName } from './name.ts';
import type { MotanUrl } from './url.ts';

/** One data centre as an operator describes it. */
export interface IdcOptions {
  /** The label used in names: `a`, `b`, `cloud`. */
  readonly name: string;
  /** Consul's `?dc=`. @default the name, when it is not the local IDC */
  readonly datacenter?: string;
  /** Base URL of the IDC's own Consul; asked instead of the local agent. */
  readonly registry?: string;
  /** Prefix rule for Motan groups: `{resource}.{idc}` with both placeholders allowed. @default '{resource}.{idc}' */
  readonly motanGroup?: string;
  /** A server here counts `weight × factor`: 0.8 makes a weight of 20 a 16. More than 0, at most 100. @default 1 */
  readonly capacityFactor?: number;
  /** Where its traffic goes when it cannot take it, in order. @default the other IDCs as listed, or by round trip */
  readonly fallback?: readonly string[];
}

/** An IDC with every default filled in. */
export interface Idc {
  readonly name: string;
  readonly datacenter: string | undefined;
  readonly registry: string | undefined;
  readonly motanGroup: string;
  readonly capacityFactor: number;
  readonly fallback: readonly string[] | undefined;
}

/** What to ask a registry for one name in one IDC. */
export interface RegistryQuery {
  /** Consul service name. */
  readonly service: string;
  /** Consul `?dc=`; undefined asks the agent's own datacenter. */
  readonly datacenter?: string;
  /** Base URL of another registry than the local agent. */
  readonly registry?: string;
  /** Any Consul server may answer, without the leader. */
  readonly stale: boolean;
  /** Only servers with this port. */
  readonly port?: number;
  /** The Motan group behind the service: `URL_` tags are decoded and the group's commands obeyed. */
  readonly group?: string;
  /** Only providers of this Motan interface path. */
  readonly path?: string;
  /** Only providers that can serve this Motan consumer. */
  readonly consumer?: MotanUrl;
}

/** Turns a name into the query of one IDC. Pure; must not throw. */
export type NameMapping = (name: ResourceName, idc: Idc) => RegistryQuery;

export interface TopologyOptions {
  /** The IDC this process stands in. */
  readonly local: string;
  readonly idcs: readonly IdcOptions[];
  /** @default consulServiceMapping */
  readonly mapping?: NameMapping;
  /** Order of the IDCs that no `fallback` list orders. @default 'listed' */
  readonly order?: 'listed' | 'rtt';
}

/** The data centres and how their names are looked up. Immutable. */
export interface Topology {
  readonly local: string;
  readonly idcs: ReadonlyMap<string, Idc>;
  readonly mapping: NameMapping;
  readonly order: 'listed' | 'rtt';
}

/**
 * Checks and completes a description of data centres.
 * @throws {UpsyncError} BAD_TOPOLOGY when an IDC is named twice, also in a list, unknown in a list, not a label, or its factor is out of range.
 */
export function createTopology(options: TopologyOptions): Topology {
  const idcs = new Map<string, Idc>();
  for (const given of options.idcs) {
    const { name, capacityFactor = 1 } = given;
    if (!isIdcLabel(name))
      throw badTopology(name, 'an IDC is one label of lower-case letters, digits and hyphens');
    if (idcs.has(name)) throw badTopology(name, 'it is listed twice');
    if (!(capacityFactor > 0 && capacityFactor <= 100))
      throw badTopology(name, 'its capacity factor must be more than 0 and at most 100');
    if (given.registry !== undefined && !/^https?:\/\/./.test(given.registry))
      throw badTopology(name, 'its registry must be a URL such as http://10.1.0.1:8500');
    const elsewhere = name !== options.local && given.registry === undefined;
    const idc: Idc = {
      name,
      datacenter: given.datacenter ?? (elsewhere ? name : undefined),
      registry: given.registry,
      motanGroup: given.motanGroup ?? '{resource}.{idc}',
      capacityFactor,
      fallback: given.fallback,
    };
    idcs.set(name, Object.freeze(idc));
  }
  if (!idcs.has(options.local)) throw badTopology(options.local, 'the local IDC is not among those listed');
  for (const { name, fallback } of idcs.values()) {
    const unknown = fallback?.find((other) => !idcs.has(other) || other === name);
    if (unknown !== undefined)
      throw badTopology(name, `its fall-back ${JSON.stringify(unknown)} is no other listed IDC`);
    if (fallback !== undefined && new Set(fallback).size < fallback.length)
      throw badTopology(name, 'its fall-back list names an IDC twice');
  }
  const { mapping = consulServiceMapping, order = 'listed' } = options;
  return Object.freeze({ local: options.local, idcs, mapping, order });
}

/**
 * The IDCs of a name in the order in which they take its traffic: its own IDC, then the fall-back list, then (unless there
 * is a list) the others as listed or by `roundTripMs`, unmeasured ones last.
 * @throws {UpsyncError} UNKNOWN_IDC when the name's IDC is not in the topology.
 */
export function idcOrder(
  topology: Topology,
  own: string,
  roundTripMs?: ReadonlyMap<string, number>,
): readonly Idc[] {
  const first = topology.idcs.get(own);
  if (first === undefined)
    throw new UpsyncError(
      'UNKNOWN_IDC',
      `IDC ${JSON.stringify(own)} is not configured; known are ${[...topology.idcs.keys()].join(', ')}`,
    );
  if (first.fallback !== undefined) return [first, ...first.fallback.map((name) => topology.idcs.get(name)!)];
  const others = [...topology.idcs.values()].filter((idc) => idc !== first);
  if (topology.order === 'rtt' && roundTripMs !== undefined) {
    const cost = (idc: Idc): number => roundTripMs.get(idc.name) ?? Number.MAX_VALUE;
    others.sort((a, b) => cost(a) - cost(b));
  }
  return [first, ...others];
}

/** Consul service `resource` in the IDC's datacenter, narrowed to the name's port. */
export const consulServiceMapping: NameMapping = (name, idc) => ({
  service: name.resource,
  port: name.port,
  ...whereAsked(idc),
});

/** Motan group `resource.idc` (Consul service `motanrpc_resource.idc`), narrowed to the port and, if given, to one interface. */
export function motanGroupMapping(options: { readonly path?: string } = {}): NameMapping {
  return (name, idc) => {
    const group = fillTemplate(idc.motanGroup, name, idc);
    const path = options.path === undefined ? {} : { path: options.path };
    // Motan never asks another datacenter: its IDCs are groups, all in the local Consul unless one is named on purpose.
    const registry = idc.registry === undefined ? {} : { registry: idc.registry };
    return { service: `motanrpc_${group}`, port: name.port, group, stale: false, ...path, ...registry };
  };
}

/** A service name made from `{resource}`, `{idc}` and `{port}`; the port stays a filter only when the template lacks it. */
export function templateMapping(template: string): NameMapping {
  return (name, idc) => ({
    service: fillTemplate(template, name, idc),
    ...(template.includes('{port}') ? {} : { port: name.port }),
    ...whereAsked(idc),
  });
}

function whereAsked(idc: Idc): Pick<RegistryQuery, 'datacenter' | 'registry' | 'stale'> {
  return {
    ...(idc.datacenter === undefined ? {} : { datacenter: idc.datacenter }),
    ...(idc.registry === undefined ? {} : { registry: idc.registry }),
    // Across the WAN a read that needs no leader survives the loss of one.
    stale: idc.datacenter !== undefined,
  };
}

function fillTemplate(template: string, name: ResourceName, idc: Idc): string {
  return template
    .replaceAll('{resource}', name.resource)
    .replaceAll('{idc}', idc.name)
    .replaceAll('{port}', String(name.port));
}

function badTopology(name: string, why: string): UpsyncError {
  return new UpsyncError('BAD_TOPOLOGY', `IDC ${JSON.stringify(name.slice(0, 80))} cannot be used: ${why}`);
}
