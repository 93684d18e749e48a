import { z } from 'zod';

const text = z.string().min(1);
const file = text.max(4096);

const idc = z.strictObject({
  name: text,
  /** Consul's `?dc=`. */
  datacenter: text.optional(),
  /** Base URL of the IDC's own Consul. */
  registry: text.optional(),
  motan_group: text.optional(),
  capacity_factor: z.number().optional(),
  fallback: z.array(text).optional(),
});

/** How `resource.idc.port` names are looked up. */
export const motanSection = z.strictObject({
  /** The IDC this machine stands in; else `UPSYNC_IDC`, else the datacenter of the Consul agent. */
  local: text.optional(),
  idcs: z.array(idc).min(1),
  order: z.enum(['listed', 'rtt']).optional(),
  /** Base URLs of the local Consul agent. */
  consul: z.union([text, z.array(text).min(1)]).optional(),
  token: text.optional(),
  token_file: file.optional(),
  /** `consul`: service `resource` in the IDC's datacenter; `motan`: group `resource.idc` (`motan:com.x.Y`: one interface of it); else a template of a service name. */
  mapping: text.optional(),
  /** Folder of the snapshots on disk. */
  snapshots: file.optional(),
});

export const dnsSection = z.strictObject({
  listen: text.optional(),
  suffix: text.optional(),
  /** Seconds. */
  ttl: z.number().int().min(0).max(86_400).optional(),
  /** Seconds. */
  negative_ttl: z.number().int().min(0).max(86_400).optional(),
  forward: z.array(text).optional(),
  max_names: z.number().int().min(1).optional(),
});

export const configServiceSection = z.strictObject({
  listen: text.optional(),
  groups_file: file.optional(),
  nodes_file: file.optional(),
  /** Addresses that may change something. */
  writers: z.array(text).optional(),
  changed_share: z.number().min(0).max(1).optional(),
  threshold: z.number().min(0).max(1).optional(),
});

export type MotanSection = z.output<typeof motanSection>;
