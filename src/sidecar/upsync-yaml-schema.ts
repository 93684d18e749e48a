import { z } from 'zod';
import { configServiceSection, dnsSection, motanSection } from './upsync-yaml-names.ts';

/** Words nginx writes for a flag, or YAML's own. */
const flag = z
  .union([z.boolean(), z.enum(['on', 'off'])])
  .transform((value) => (typeof value === 'boolean' ? (value ? 'on' : 'off') : value));
/** An nginx time; a bare number is seconds. */
const time = z.union([z.string(), z.number().int().min(0)]).transform(String);
const text = z.string().min(1);
const file = text.max(4096);

const upstream = z.strictObject({
  name: text,
  upsync: text,
  upsync_type: text,
  upsync_interval: time.optional(),
  upsync_timeout: time.optional(),
  upsync_lb: text.optional(),
  upsync_dump_path: file.optional(),
  strong_dependency: flag.optional(),
  allow_empty: flag.optional(),
  token: text.optional(),
  token_file: file.optional(),
  ca: file.optional(),
  cert: file.optional(),
  key: file.optional(),
  server_name: text.optional(),
  dc: text.optional(),
  tag: z.union([text, z.array(text)]).optional(),
  filter: text.optional(),
  passing: flag.optional(),
  consistency: text.optional(),
  cached: flag.optional(),
  use_weights: flag.optional(),
  seed: z.number().int().min(0).optional(),
  slow_start: time.optional(),
  /** The words of nginx `server` lines: the list until the registry or the dump has one. */
  servers: z.array(text).optional(),
});

const nginx = z.strictObject({
  /** The nginx.conf with `upsync` directives. */
  conf: file.optional(),
  /** Folder for the translated configuration. */
  output: file.optional(),
  /** Control socket of an nginx whose configuration was translated before, instead of `conf`. */
  control_socket: file.optional(),
  prefix: file.optional(),
  /** The nginx program. */
  binary: file.optional(),
  /** What is given to nginx with `-g`. */
  globals: text.optional(),
  /** nginx's pid file: with it a changed configuration is reloaded. */
  pid: file.optional(),
  reload_interval: time.optional(),
});

/** The sections of `upsync.yaml`. A new one is a line here, and its own reader. */
export const yamlSchema = z.strictObject({
  nginx: nginx.optional(),
  upstreams: z.array(upstream).optional(),
  admin: z.strictObject({ listen: text }).optional(),
  guard: z.strictObject({ min_keep: z.number().min(0).max(1), hold: time.optional() }).optional(),
  motan: motanSection.optional(),
  dns: dnsSection.optional(),
  config_service: configServiceSection.optional(),
  /** Timed traffic plans: `evening: a 70, b 20 from 19:00 to 23:00 Asia/Shanghai on mon-fri`. */
  schedules: z.array(text).optional(),
  status_socket: file.optional(),
  log_level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).optional(),
});

export type UpsyncYaml = z.output<typeof yamlSchema>;
export type YamlUpstream = z.output<typeof upstream>;
export type YamlNginx = z.output<typeof nginx>;
